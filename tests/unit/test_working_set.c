/* The working set: what is recorded of a process, what comes back from its file, what is refused.
 */
#include "image/working_set.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"
#include "launcher/restore/held_threads.h"
#include "launcher/restore/read_ahead.h"
#include "launcher/restore/recorder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096ull

static const struct image_id id = {.lo = 1, .hi = 2};
static char path[128];

static int load(struct working_set *set)
{
	struct jsnap_error err = {0};
	int r = working_set_load(path, &id, set, &err);

	CHECK(r == 0 || (err.text[0] && err.code == -r));
	return r;
}

static void save(const struct working_set *set, mode_t mode)
{
	CHECK_EQ(working_set_save(path, set, &id, false, NULL), 0);
	CHECK_EQ(chmod(path, mode), 0);
}

static void test_file(void)
{
	CLEANUP_WORKING_SET struct working_set set = {0};
	CLEANUP_WORKING_SET struct working_set back = {0};
	const struct image_id other = {.lo = 1, .hi = 3};
	struct stat st;

	CHECK_EQ(load(&back), -ENOENT);
	CHECK_EQ(working_set_add(&set, PAGE, 2 * PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 2 * PAGE, 4 * PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 6 * PAGE, 7 * PAGE, PAGE), 0);
	CHECK_EQ(working_set_add(&set, 8 * PAGE, 9 * PAGE, PAGE), 0);
	CHECK_EQ(set.count, 2);
	save(&set, 0600);
	CHECK_EQ(load(&back), 0);
	CHECK_EQ(back.count, 2);
	CHECK_EQ(back.runs[0].end, 4 * PAGE);
	CHECK_EQ(back.runs[1].start, 6 * PAGE);
	CHECK_EQ(back.runs[1].end, 9 * PAGE);
	CHECK_EQ(working_set_load(path, &other, &back, NULL), -ESTALE);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(truncate(path, st.st_size - 1), 0);
	working_set_free(&back);
	CHECK_EQ(load(&back), -EBADMSG);
	save(&set, 0620);
	CHECK_EQ(load(&back), -EPERM);
}

/* Every flipped byte is found. */
static void test_damage(void)
{
	CLEANUP_WORKING_SET struct working_set set = {0};
	struct stat st;

	CHECK_EQ(working_set_add(&set, PAGE, 2 * PAGE, 0), 0);
	save(&set, 0600);
	CHECK_EQ(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		CLEANUP_WORKING_SET struct working_set back = {0};
		CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
		char byte;

		CHECK_EQ(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
		CHECK(load(&back) < 0);
		CHECK(!back.runs);
		byte ^= 1;
		CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
	}
}

/* A checksum that fits does not make nonsense acceptable. */
static void test_nonsense(void)
{
	static const struct working_run bad[][2] = {
		{{PAGE, PAGE}, {PAGE, 2 * PAGE}},
		{{2 * PAGE, 3 * PAGE}, {PAGE, 2 * PAGE}},
		{{PAGE, 3 * PAGE}, {2 * PAGE, 4 * PAGE}},
		{{PAGE + 1, 2 * PAGE}, {3 * PAGE, 4 * PAGE}},
		{{PAGE, 2 * PAGE}, {3 * PAGE, 1ull << 60}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct working_run runs[2] = {bad[i][0], bad[i][1]};
		const struct working_set set = {.runs = runs, .count = 2};
		CLEANUP_WORKING_SET struct working_set back = {0};

		if (working_set_save(path, &set, &id, false, NULL) == 0)
			CHECK_EQ(load(&back), -EBADMSG);
	}
}

/* A child that has written one page of a mapping, read another, and left the rest alone. */
static void test_scan(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_WORKING_SET struct working_set set = {0};
	volatile char *memory =
		mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ready[2], status;
	struct m_piece *piece;
	struct m_vma *vma;
	char byte;
	pid_t pid;

	CHECK(memory != MAP_FAILED && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		memory[3 * PAGE] = 1;
		byte = memory[5 * PAGE];
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_EQ(manifest_init(&m, NULL), 0);
	vma = MANIFEST_ADD(&m, vmas);
	*vma = (struct m_vma){.start = (uint64_t)memory,
			      .end = (uint64_t)memory + 16 * PAGE,
			      .kind = M_VMA_ANON,
			      .prot = PROT_READ | PROT_WRITE,
			      .map_flags = MAP_PRIVATE};
	CHECK_EQ(recorder_scan(&m, pid, &set, NULL), 0);
	CHECK_EQ(set.count, 1);
	CHECK_EQ(set.runs[0].start, (uint64_t)memory + 3 * PAGE);
	CHECK_EQ(set.runs[0].end, (uint64_t)memory + 4 * PAGE);
	/* What a restore reads into place is no news; what lies beside that is. */
	working_set_free(&set);
	vma->must_be_anon = vma->n_pieces = 1;
	piece = MANIFEST_ADD(&m, pieces);
	*piece = (struct m_piece){.addr = (uint64_t)memory + 3 * PAGE, .size = PAGE};
	CHECK_EQ(recorder_scan(&m, pid, &set, NULL), 0);
	CHECK_EQ(set.count, 0);
	piece->addr += PAGE;
	CHECK_EQ(recorder_scan(&m, pid, &set, NULL), 0);
	CHECK_EQ(set.count, 1);
	CHECK_EQ(set.runs[0].start, (uint64_t)memory + 3 * PAGE);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void add_thread(struct manifest *m, uint32_t tid, const char *comm)
{
	struct m_thread *t = MANIFEST_ADD(m, threads);

	CHECK(t);
	t->tid = tid;
	memcpy(t->comm, comm, strlen(comm));
}

static void test_held(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE uint32_t *tids = NULL;
	size_t count;

	CHECK_EQ(manifest_init(&m, NULL), 0);
	add_thread(&m, 10, "java");
	add_thread(&m, 11, "GC Thread#0");
	add_thread(&m, 12, "VM Thread");
	add_thread(&m, 13, "C2 CompilerThre");
	add_thread(&m, 14, "http-nio-8080-P");
	add_thread(&m, 15, "VM Periodic Tas");
	tids = held_threads(&m, &count);
	CHECK_EQ(count, 2);
	CHECK_EQ(tids[0], 13);
	CHECK_EQ(tids[1], 15);
}

#define STRETCH (256 * PAGE)

/* A read, even one that does not wait, would bring the page. */
static bool is_cached(int fd, uint64_t at)
{
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)at);
	unsigned char resident = 0;

	CHECK(page != MAP_FAILED);
	CHECK_EQ(mincore(page, PAGE, &resident), 0);
	munmap(page, PAGE);
	return resident & 1;
}

/* Two pieces far from each other in a file that is not in the page cache: of them comes what the
 * set names, and a page that was not stored costs nothing. */
static void test_read_ahead(void)
{
	struct m_piece pieces[] = {{.addr = 0x100000, .size = STRETCH, .offset = STRETCH},
				   {.addr = 0x900000, .size = STRETCH, .offset = 8 * STRETCH}};
	CLEANUP_WORKING_SET struct working_set set = {0};
	struct hot hot = {.stream_offset = 2 * STRETCH};
	const uint64_t wanted = 10 * STRETCH + 200 * PAGE;
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char page[PAGE] = {1};

	hot.fd = fd;
	hot.manifest.pieces = pieces;
	hot.manifest.n_pieces = ARRAY_SIZE(pieces);
	for (uint64_t at = 0; at < 12 * STRETCH; at += PAGE)
		CHECK_EQ(pwrite(fd, page, sizeof(page), (off_t)at), (ssize_t)sizeof(page));
	CHECK_EQ(working_set_add(&set, 0x80000, 0x80000 + PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 0x900000 + 4 * PAGE, 0x900000 + 6 * PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 0x900000 + 100 * PAGE, 0x900000 + 102 * PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 0x900000 + 200 * PAGE, 0x900000 + 202 * PAGE, 0), 0);
	CHECK_EQ(working_set_add(&set, 0x900000 + 250 * PAGE, 0x900000 + 252 * PAGE, 0), 0);
	CHECK(!read_ahead(&hot, &set)); /* written just now */
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	if (is_cached(fd, wanted)) {
		fprintf(stderr, "left out: this file system's files stay in memory\n");
		return;
	}
	CHECK(read_ahead(&hot, &set));
	for (int i = 0; i < 5000 && !is_cached(fd, wanted); i++)
		usleep(1000);
	CHECK(is_cached(fd, wanted));
	CHECK(!is_cached(fd, 3 * STRETCH)); /* of the other piece */
	unlink(path);
}

int main(void)
{
	char folder[] = "/tmp/jsnap-test-XXXXXX";

	CHECK(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.pages", folder);
	test_file();
	test_damage();
	test_nonsense();
	test_scan();
	test_held();
	test_read_ahead();
	unlink(path);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
