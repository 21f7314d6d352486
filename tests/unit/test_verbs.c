/* list, inspect, verify and prune over a store with a real image in it, damaged and stale ones too.
 */
#include "check.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/image.h"
#include "launcher/store/store.h"
#include "launcher/verbs/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define PAGE		4096
#define KEY		"0123456789abcdef0123456789abcdef"

static struct jsnap_error failure; /* of the last run */
static char root[PATH_MAX], image[PATH_MAX + 64];

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

/* An image of one page and a fact about app.jar. */
static void write_image(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_CLOSE int stream = memfd_create("stream", MFD_CLOEXEC);
	struct key_fact facts[] = {{NULL, NULL}};
	struct key_facts key = {.key = KEY,
				.name = (char *)(uintptr_t) "app",
				.question = (char *)(uintptr_t) "key=1\n",
				.facts = facts,
				.n_facts = 1};
	struct image_header header = {0};
	struct jsnap_error err = {0};
	struct m_piece *piece;
	struct m_vma *vma;
	struct stat st;

	write_text("app.jar", "1234");
	CHECK_EQ(stat("app.jar", &st), 0);
	CHECK(asprintf(&facts[0].name, "path:%s/app.jar", root) > 0);
	CHECK(asprintf(&facts[0].value, "file size=4 mtime=%lld inode=%llu",
		       (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
		       (unsigned long long)st.st_ino) > 0);
	CHECK_EQ(manifest_init(&m, &err), 0);
	m.process->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	m.process->stream_size = PAGE;
	m.process->euid = geteuid(); /* nobody else may restore it */
	m.process->exe_backing = MANIFEST_NONE;
	MANIFEST_ADD(&m, host)->cpu_level = 2; /* whatever the processor */
	vma = MANIFEST_ADD(&m, vmas);
	*vma = (struct m_vma){.start = 1 << 20,
			      .end = (1 << 20) + PAGE,
			      .prot = PROT_READ,
			      .map_flags = MAP_PRIVATE,
			      .kind = M_VMA_ANON,
			      .backing = MANIFEST_NONE,
			      .n_pieces = 1};
	piece = MANIFEST_ADD(&m, pieces);
	*piece = (struct m_piece){.addr = 1 << 20, .size = PAGE};
	CHECK_EQ(key_store(&key, &m, &err), 0);
	CHECK_EQ(pwrite(stream, "page", 4, 0), 4);
	CHECK_EQ(ftruncate(stream, PAGE), 0);
	CHECK_EQ(image_header_here(getpid(), &header, &err), 0);
	if (image_write(image, &m, stream, 0, &header, NULL, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(err.code, 0);
	free(facts[0].name);
	free(facts[0].value);
}

/* Runs `jsnap LINE` in this process, which fails when EXIT_JSNAP_FAILED is expected; its standard
 * output, valid until the next call. */
static char *run(const char *line, int expected_status)
{
	static const struct verb verbs[] = {{"list", verb_list},
					    {"inspect", verb_inspect},
					    {"verify", verb_verify},
					    {"prune", verb_prune},
					    {"dump", verb_dump}};
	CLEANUP_SETTINGS struct settings settings = {0};
	static char *text;
	char buffer[512], *argv[32], *rest = buffer;
	int argc = 0, status = EXIT_JSNAP_FAILED, saved, out, r = -1;

	failure = (struct jsnap_error){0};
	snprintf(buffer, sizeof(buffer), "jsnap %s", line);
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	CHECK_EQ(settings_load(argc, argv, &settings, &failure), 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	out = open("output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(out, STDOUT_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, settings.verb) == 0)
			r = verbs[i].run(&settings, &status, &failure);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out);
	free(text);
	CHECK_EQ(read_file("output", 1 << 20, &text, NULL), 0);
	if (r < 0)
		fprintf(stderr, "%s\n", failure.text);
	CHECK_EQ(r < 0, expected_status == EXIT_JSNAP_FAILED);
	if (status != expected_status)
		fprintf(stderr, "%s: %s\n", line, text);
	CHECK_EQ(status, expected_status);
	return text;
}

static void flip_byte(off_t at)
{
	CLEANUP_CLOSE int fd = open(image, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	CHECK_EQ(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
}

static void test_show(void)
{
	char *text = run("list", 0);

	HAS(text, "app   0123456789ab  ");
	HAS(run("list --json", 0), "\"key\": \"" KEY "\"");
	HAS(run("inspect app", 0), "app.jar");
	HAS(run("inspect 0123 --json", 0), "path:");
}

static void test_verify(void)
{
	HAS(run("verify app", 0), "app: whole, and would restore here");
	HAS(run("verify --json", 0), "\"restores\": true");
	write_text("app.jar", "123456");
	HAS(run("verify", 1), "whole, but would not restore here: app.jar changed (size 4 -> 6)");
	write_image();
	flip_byte(60);
	HAS(run("verify", 1), ": bad: ");
	HAS(run("verify nothing", 1), "nothing: could not be checked: no snapshot");
	flip_byte(60);
	HAS(run("verify", 0), "would restore here");
}

static void test_prune(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	HAS(run("prune --stale --older-than 1d --larger-than 1G", 0), "removed 0 of 1");
	HAS(run("prune --all --dry-run", 0), "would remove 1 of 1");
	CHECK_EQ(access(image, F_OK), 0);
	CHECK_EQ(store_slot_of_image(image, &slot, NULL), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, NULL), 0);
	HAS(run("prune --all", 0), "in use\nremoved 0 of 1");
	store_unlock(&slot);
	flip_byte(60);
	HAS(run("prune --stale", 0), "removed 1 of 1");
	CHECK_EQ(access(image, F_OK), -1);
	write_image();
	CHECK_EQ(unlink("app.jar"), 0);
	HAS(run("prune --stale", 0), "app.jar is gone\nremoved 1 of 1");
	write_image();
	HAS(run("prune app --json", 0), "\"action\": \"removed\"");
	HAS(run("list", 0), "No snapshots in ");
}

/* One that can't be removed keeps neither the others nor what is left of some. */
static void test_prune_goes_on(void)
{
	static const char first[] = "store/web-" KEY ".jsnap", lock[] = "store/web-" KEY ".lock";
	static const char left[] = "store/old-" KEY ".hot";
	char *text;

	write_image();
	write_text(first, "newer");
	write_text(left, "");
	CHECK_EQ(mkdir(lock, 0700), 0);
	text = run("prune --all", EXIT_JSNAP_FAILED);
	HAS(text, "kept web-0123456789ab (");
	HAS(text, ".lock: Is a directory\nremoved app-0123456789ab (");
	HAS(text, "removed 1 of 2");
	CHECK_EQ(access(image, F_OK), -1);
	CHECK_EQ(access(left, F_OK), -1);
	CHECK_EQ(rmdir(lock), 0);
	HAS(run("prune --all", 0), "removed 1 of 1");
}

/* No process has that number (proc(5), pid_max). */
static void test_dump_to_link(void)
{
	struct stat st;

	CHECK_EQ(symlink("image", "link"), 0);
	run("dump --pid 4194304 --image link", EXIT_JSNAP_FAILED);
	HAS(failure.text, "link is a symbolic link; it is not replaced; name what it leads to");
	CHECK_EQ(lstat("link", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
}

int main(void)
{
	char clean[PATH_MAX + 16];

	snprintf(root, sizeof(root), "/tmp/jsnap-test-verbs-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	CHECK_EQ(chdir(root), 0);
	CHECK_EQ(mkdir("store", 0700), 0);
	snprintf(image, sizeof(image), "%s/store/app-" KEY ".jsnap", root);
	setenv("HOME", root, 1);
	unsetenv("XDG_CONFIG_HOME");
	setenv("JSNAP_STORE", "store", 1);
	write_image();
	test_show();
	test_verify();
	test_prune();
	test_prune_goes_on();
	test_dump_to_link();
	snprintf(clean, sizeof(clean), "rm -rf %s", root);
	return system(clean) == 0 ? 0 : 1;
}
