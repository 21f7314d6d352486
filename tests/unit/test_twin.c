/*
 * The pages of a program that goes on are those of the moment it stood still, whatever it writes
 * afterwards, and of its twin nothing stays.
 */
#include "checkpoint/checkpoint.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"
#include "proc/status.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PAGE  4096u
#define PAGES 1024u

enum marks { PLAIN, DONTFORK, WIPEONFORK, LOCKED, DONTDUMP, DROPPABLE, UNCOMMITTED };

/* What test and program share. */
struct shared {
	pid_t tester;
	volatile int marks, late_marks, overwrite, ticks;
	volatile pid_t program, twin;
	volatile bool ready, marked, overwritten;
};

static struct shared *shared;
static unsigned char *memory; /* the program's, at the same address here */
static unsigned char *guard;  /* a page of it that can't be read, as at the end of a stack */

static void mark(enum marks marks)
{
	const int advice[] = {[DONTFORK] = MADV_DONTFORK,
			      [WIPEONFORK] = MADV_WIPEONFORK,
			      [DONTDUMP] = MADV_DONTDUMP};

	/* Not of `memory`; where the kernel has none there is none to copy either. */
	if (marks == DROPPABLE)
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAPS_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	else if (marks == UNCOMMITTED) /* what was one page is another */
		mmap(guard, PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	else if (marks == LOCKED) /* not by AddressSanitizer's mlock, which does nothing */
		CHECK_EQ(syscall(SYS_mlock, memory, PAGE), 0);
	else if (marks)
		CHECK_EQ(madvise(memory, (size_t)PAGES * PAGE, advice[marks]), 0);
}

static void program(void)
{
	prctl(PR_SET_PDEATHSIG, 0);
	close_range(3, ~0U, 0); /* whatever the test was started with */
	mark(shared->marks);
	for (unsigned i = 0; i < PAGES; i++)
		memset(memory + (size_t)i * PAGE, (int)(1 + i % 250), PAGE);
	shared->ready = true;
	for (;;) {
		if (shared->late_marks && !shared->marked) {
			mark(shared->late_marks);
			shared->marked = true;
		}
		if (shared->overwrite && !shared->overwritten) {
			memset(memory, 0xff, (size_t)PAGES * PAGE);
			shared->overwritten = true;
		}
		shared->ticks++;
		usleep(1000);
		if (kill(shared->tester, 0) < 0)
			_exit(1); /* the test failed */
	}
}

#define WAIT_UNTIL(cond)                                      \
	do {                                                  \
		for (int i_ = 0; !(cond) && i_ < 30000; i_++) \
			usleep(1000);                         \
		CHECK(cond);                                  \
	} while (0)

static pid_t start(enum marks marks)
{
	pid_t pid;

	*shared = (struct shared){.marks = marks, .tester = shared->tester};
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		program();
	shared->program = pid;
	WAIT_UNTIL(shared->ready);
	return pid;
}

static void end(pid_t pid)
{
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void check_lives(void)
{
	int ticks = shared->ticks;

	WAIT_UNTIL(shared->ticks > ticks + 2);
}

/* Nobody but the program is a child of ours. */
static void check_no_twin(pid_t pid)
{
	CLEANUP_FREE pid_t *children = NULL;
	size_t count;

	CHECK_EQ(proc_children_read(getpid(), &children, &count, NULL), 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(children[0], pid);
}

static enum checkpoint_action end_all(void *ctx, const struct checkpoint_fd *fd)
{
	(void)ctx;
	return fd->kind == CHECKPOINT_FD_PIPE ? CHECKPOINT_END : CHECKPOINT_CLOSE;
}

static void overwrite(void *unused)
{
	(void)unused;
	shared->overwrite = true;
	WAIT_UNTIL(shared->overwritten);
}

static int capture(pid_t pid, int fd, const struct checkpoint_expected *expected,
		   void (*released)(void *), struct manifest *m, struct checkpoint_stats *stats)
{
	const struct checkpoint_options options = {.pid = pid,
						   .leave_running = true,
						   .stream_fd = fd,
						   .file_backed = true,
						   .expected = expected,
						   .released = released,
						   .policy.decide = end_all};
	struct jsnap_error err = {0};
	int r;

	CHECK_EQ(manifest_init(m, NULL), 0);
	r = checkpoint_capture(&options, m, stats, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	return r;
}

/* Every page of `memory` is stored as it was. */
static void check_stored(const struct manifest *m, int fd)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < m->n_pieces; i++) {
		const struct m_piece *piece = &m->pieces[i];

		for (uint64_t at = 0; at < piece->size; at += PAGE) {
			uint64_t page = (piece->addr + at - (uint64_t)memory) / PAGE;
			unsigned char bytes[PAGE];

			if (piece->addr + at < (uint64_t)memory || page >= PAGES)
				continue;
			CHECK_EQ(pread_full(fd, bytes, PAGE, (off_t)(piece->offset + at)), 0);
			CHECK_EQ(bytes[0], 1 + page % 250);
			CHECK_EQ(bytes[PAGE - 1], bytes[0]);
			found++;
		}
	}
	CHECK_EQ(found, PAGES);
}

static void test_pages(enum marks marks, bool twin)
{
	CLEANUP_CHECKPOINT_EXPECTED struct checkpoint_expected expected = {0};
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct checkpoint_stats stats = {0};
	pid_t pid = start(marks);

	checkpoint_expect(pid, &expected);
	CHECK_EQ(expected.twin, twin);
	CHECK_EQ(capture(pid, fd, &expected, overwrite, &m, &stats), 0);
	CHECK_EQ(stats.twin, twin);
	check_stored(&m, fd);
	check_lives();
	check_no_twin(pid);
	end(pid);
}

static const struct m_vma *stored_as(const struct manifest *m, const void *address)
{
	for (uint32_t i = 0; i < m->n_vmas; i++)
		if (m->vmas[i].start <= (uint64_t)address && (uint64_t)address < m->vmas[i].end)
			return &m->vmas[i];
	CHECK(!"stored");
	return NULL;
}

/* Marks that came after they were looked at: what the twin lacks is noticed, what it has is
 * taken from there. */
static void test_late_marks(enum marks marks)
{
	CLEANUP_CHECKPOINT_EXPECTED struct checkpoint_expected expected = {0};
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct checkpoint_stats stats = {0};
	pid_t pid = start(PLAIN);

	checkpoint_expect(pid, &expected);
	shared->late_marks = marks;
	WAIT_UNTIL(shared->marked);
	if (marks == LOCKED) {
		CHECK_EQ(capture(pid, fd, &expected, overwrite, &m, &stats), 0);
		CHECK(!stats.twin);
		check_stored(&m, fd);
	} else if (marks == DONTDUMP) {
		CHECK_EQ(capture(pid, fd, &expected, overwrite, &m, &stats), 0);
		CHECK(stats.twin);
		CHECK(stored_as(&m, memory)->vmflags & MAPS_VM_DONTDUMP);
		check_stored(&m, fd);
	} else if (marks == UNCOMMITTED) {
		CHECK_EQ(capture(pid, fd, &expected, overwrite, &m, &stats), 0);
		CHECK(stats.twin);
		CHECK(stored_as(&m, guard)->map_flags & MAP_NORESERVE);
		check_stored(&m, fd);
	} else {
		CHECK_EQ(capture(pid, fd, &expected, NULL, &m, &stats), -EAGAIN);
	}
	check_lives();
	check_no_twin(pid);
	end(pid);
}

static char mapped_path[] = "/tmp/test_twin.XXXXXX";

static void remove_mapped(void *unused)
{
	(void)unused;
	CHECK_EQ(unlink(mapped_path), 0);
}

/* A mapped file that loses its name then is the same file: JVMs that start remove the performance
 * data of others that they do not see. */
static void test_removed(void)
{
	CLEANUP_CHECKPOINT_EXPECTED struct checkpoint_expected expected = {0};
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	CLEANUP_CLOSE int mapped_fd = mkstemp(mapped_path);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct checkpoint_stats stats = {0};
	void *mapped;
	pid_t pid;

	CHECK_EQ(ftruncate(mapped_fd, PAGE), 0);
	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mapped_fd, 0);
	CHECK(mapped != MAP_FAILED);
	pid = start(PLAIN);
	checkpoint_expect(pid, &expected);
	CHECK_EQ(capture(pid, fd, &expected, remove_mapped, &m, &stats), 0);
	CHECK(stats.twin);
	check_stored(&m, fd);
	check_lives();
	check_no_twin(pid);
	end(pid);
	munmap(mapped, PAGE);
}

/* jsnap dies the moment the program goes on. */
static void die(void *unused)
{
	CLEANUP_FREE pid_t *children = NULL;
	size_t count;

	(void)unused;
	CHECK_EQ(proc_children_read(getpid(), &children, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		if (children[i] != shared->program)
			shared->twin = children[i];
	raise(SIGKILL);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0;
}

static void test_killed(void)
{
	pid_t pid, dumper = fork();

	if (dumper == 0) {
		CLEANUP_CHECKPOINT_EXPECTED struct checkpoint_expected expected = {0};
		int fd = memfd_create("test", MFD_CLOEXEC);
		struct checkpoint_stats stats;
		struct manifest m = {0};

		pid = start(PLAIN);
		checkpoint_expect(pid, &expected);
		capture(pid, fd, &expected, die, &m, &stats);
		_exit(1);
	}
	CHECK_EQ(waitpid(dumper, NULL, 0), dumper);
	CHECK(shared->twin);
	check_lives();
	/* Who inherits the orphan is another's business; as a subreaper it is ours. */
	waitpid(shared->twin, NULL, 0);
	WAIT_UNTIL(is_gone(shared->twin));
	end(shared->program);
}

int main(void)
{
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* A mapping of its own, of which no mark makes two. */
	memory = mmap(NULL, (size_t)(PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	CHECK(shared != MAP_FAILED && memory != MAP_FAILED);
	guard = memory;
	memory += PAGE;
	CHECK_EQ(mprotect(memory, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	shared->tester = getpid();
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	test_pages(PLAIN, true);
	test_pages(DROPPABLE, true);
	test_pages(DONTFORK, false);
	test_pages(WIPEONFORK, false);
	test_pages(LOCKED, false);
	test_late_marks(DONTFORK);
	test_late_marks(WIPEONFORK);
	test_late_marks(LOCKED);
	test_late_marks(DONTDUMP);
	test_late_marks(UNCOMMITTED);
	test_removed();
	test_killed();
	return 0;
}
