/* maps and smaps: recorded from a JVM and from a program with odd mappings, and bad texts. */
#include "check.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/maps.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static void load(const char *name, struct maps *maps, size_t *ret_size)
{
	struct jsnap_error err = {0};
	char path[512];
	char *text;

	snprintf(path, sizeof(path), "%s/proc/%s", FIXTURES, name);
	CHECK_EQ(read_file(path, 1 << 20, &text, ret_size), 0);
	if (maps_parse(text, *ret_size, maps, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(err.code, 0);
	free(text);
}

static const struct maps_entry *named(const struct maps *maps, const char *name)
{
	for (size_t i = 0; i < maps->count; i++)
		if (strcmp(maps->entries[i].name, name) == 0)
			return &maps->entries[i];
	fprintf(stderr, "no entry named '%s'\n", name);
	exit(1);
}

static void test_jvm(void)
{
	CLEANUP_MAPS struct maps maps = {0}, smaps = {0};
	const struct maps_entry *archive;
	uint64_t resident = 0;
	size_t size;

	load("jvm17.maps", &maps, &size);
	load("jvm17.smaps", &smaps, &size);
	CHECK(size > 128 * 1024);
	CHECK_EQ(maps.count, 203);
	CHECK_EQ(smaps.count, 203);
	for (size_t i = 0; i < maps.count; i++) {
		CHECK_EQ(maps.entries[i].start, smaps.entries[i].start);
		CHECK_EQ(maps.entries[i].end, smaps.entries[i].end);
		CHECK_STR(maps.entries[i].name, smaps.entries[i].name);
		CHECK_EQ(maps.entries[i].vmflags, 0);
		CHECK(maps.entries[i].resident == UINT64_MAX);
		CHECK(smaps.entries[i].resident != UINT64_MAX);
		resident += smaps.entries[i].resident;
	}
	CHECK(resident > 32u << 20);
	archive = maps_find(&maps, 0xffe00000);
	CHECK(archive);
	CHECK_STR(archive->name, "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/classes.jsa");
	CHECK_EQ(archive->offset, 0xc77000);
	CHECK_EQ(archive->inode, 315149);
	CHECK(archive->dev == makedev(0xfe, 0));
	CHECK_EQ(archive->prot, PROT_READ | PROT_WRITE);
	CHECK(!archive->shared);
	CHECK_EQ(named(&smaps, "[vvar]")->vmflags & MAPS_VM_PFNMAP, MAPS_VM_PFNMAP);
	CHECK_EQ(named(&smaps, "[stack]")->vmflags & MAPS_VM_GROWSDOWN, MAPS_VM_GROWSDOWN);
	CHECK(named(&smaps, "[vsyscall]")->start == UINT64_C(0xffffffffff600000));
}

static void test_weird(void)
{
	CLEANUP_MAPS struct maps maps = {0};
	const struct maps_entry *entry;
	size_t size;

	load("weird.smaps", &maps, &size);
	CHECK(!named(&maps, "/tmp/jsnap weird/with blank")->deleted);
	CHECK(named(&maps, "/tmp/jsnap weird/new\nline")->shared);
	CHECK(named(&maps, "/tmp/jsnap weird/gone")->deleted);
	CHECK(named(&maps, "/tmp/jsnap weird/gone\n too")->deleted);
	CHECK(named(&maps, "/memfd:heap space")->deleted);
	CHECK(named(&maps, "/dev/zero")->shared);
	/* The kernel escapes newlines alone: these four characters are the file's own. */
	named(&maps, "/tmp/jsnap weird/back\\040slash");
	named(&maps, "[heap]");
	named(&maps, "[vdso]");
	entry = maps_find(&maps, 0x7f0e2ac47000);
	CHECK(entry && entry->name[0] == '\0');
	CHECK_EQ(entry->resident, 8192);
	CHECK_EQ(entry->vmflags, MAPS_VM_MAYWRITE | MAPS_VM_DONTFORK | MAPS_VM_NORESERVE |
					 MAPS_VM_DONTDUMP | MAPS_VM_NOHUGEPAGE);
	CHECK(maps_find(&maps, 0x7f0e2ac47000 - 1) == entry - 1);
	CHECK(!maps_find(&maps, 0x1000));
	CHECK(!maps_find(&maps, 0x7f0e2af24000)); /* a hole of one page */
	CHECK(!maps_find(&maps, UINT64_MAX));
}

static void test_anonymous_names(void)
{
	static const char text[] = "1000-2000 rw-p 0 00:00 0    [anon:a b (deleted)]\n"
				   "2000-3000 rwxs 0 00:01 7    [anon_shmem:x]";
	CLEANUP_MAPS struct maps maps = {0};

	CHECK_EQ(maps_parse(text, strlen(text), &maps, NULL), 0);
	CHECK_EQ(maps.count, 2);
	CHECK_STR(maps.entries[0].name, "[anon:a b (deleted)]");
	CHECK(!maps.entries[0].deleted);
	CHECK_STR(maps.entries[1].name, "[anon_shmem:x]");
	CHECK_EQ(maps.entries[1].prot, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void expect_bad(const char *text, size_t size, int code, const char *part)
{
	struct maps maps = {(void *)1, 7};
	struct jsnap_error err = {0};

	CHECK_EQ(maps_parse(text, size, &maps, &err), -code);
	CHECK_EQ(err.code, code);
	if (!strstr(err.text, part))
		fprintf(stderr, "'%s' does not contain '%s'\n", err.text, part);
	CHECK(strstr(err.text, part));
	CHECK(maps.entries == (void *)1 && maps.count == 7);
}

static void test_bad(void)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"1000-2000 rw-p 0 00:00 0\n1000-3000 rw-p 0 00:00 0\n", "line 2"},
		{"2000-3000 rw-p 0 00:00 0\n1000-2000 rw-p 0 00:00 0\n", "overlaps or precedes"},
		{"2000-2000 rw-p 0 00:00 0\n", "not above"},
		{"1001-2000 rw-p 0 00:00 0\n", "page aligned"},
		{"1000-2000 rw-x 0 00:00 0\n", "permissions"},
		{"1000-2000 rw-p 0 0000 0\n", "MAJOR:MINOR"},
		{"1000-2000 rw-p 0 00:00 \n", "inode"},
		{"1000-2000 rw-p 0 00:00 0x\n", "blank"},
		{"10000000000001000-2000 rw-p 0 00:00 0\n", "START-END"},
		{"Rss:  4 kB\n", "no address range"},
		{"1000-2000 rw-p 0 00:00 0\nVmFlags: rd w\n", "line 2"},
		{"1000-2000 rw-p 0 00:00 0\nVmFlags: rdx\n", "two letters"},
		{"1000-2000 rw-p 0 00:00 0\nRss: many kB\n", "kB"},
		{"1000-2000 rw-p 0 00:00 0\n\n", "line 2"},
		{"1000-2000 rw-p 0 00:00 0\nNocolon\n", "colon"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_bad(cases[i].text, strlen(cases[i].text), EBADMSG, cases[i].part);
	expect_bad("1000-2000 rw-p 0 00:00 0 /a\0b\n", 30, EBADMSG, "NUL");
}

/* `count` entries of one page each. */
static char *many(size_t count, size_t *ret_size)
{
	char *text = malloc(count * 64 + 1);
	size_t used = 0;

	CHECK(text);
	for (size_t i = 0; i < count; i++)
		used += (size_t)sprintf(text + used, "%zx-%zx rw-p 00000000 00:00 0 [n%zu]\n",
					(i + 1) << 12, (i + 2) << 12, i);
	*ret_size = used;
	return text;
}

static void test_limit(void)
{
	CLEANUP_MAPS struct maps maps = {0};
	size_t size;
	CLEANUP_FREE char *text = many(MAPS_MAX_ENTRIES + 1, &size);

	expect_bad(text, size, E2BIG, "262144");
	free(STEAL_PTR(text));
	text = many(MAPS_MAX_ENTRIES, &size);
	CHECK_EQ(maps_parse(text, size, &maps, NULL), 0);
	CHECK_EQ(maps.count, MAPS_MAX_ENTRIES);
	CHECK_STR(maps_find(&maps, 131073u << 12)->name, "[n131072]");
}

static void test_self(void)
{
	CLEANUP_MAPS struct maps maps = {0};
	struct jsnap_error err = {0};
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	*page = 1;
	CHECK_EQ(madvise(page, 4096, MADV_DONTDUMP), 0);
	CHECK_EQ(maps_read(getpid(), true, &maps, &err), 0);
	CHECK(maps_find(&maps, (uintptr_t)page)->vmflags & MAPS_VM_DONTDUMP);
	CHECK_EQ(maps_find(&maps, (uintptr_t)page)->resident, 4096);
	maps_free(&maps);
	CHECK_EQ(maps_read(INT32_MAX, false, &maps, &err), -ESRCH);
	CHECK(strstr(err.text, "gone"));
}

int main(void)
{
	test_jvm();
	test_weird();
	test_anonymous_names();
	test_bad();
	test_limit();
	test_self();
	return 0;
}
