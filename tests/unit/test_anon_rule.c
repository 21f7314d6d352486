/*
 * Memory that its owner gives back reads as zeros afterwards, also when it was restored as a
 * mapping of stored pages (checkpoint/anon_rule.c): a program that was vouched for is captured and
 * restored, finds memory mapped from the stream where that is allowed, and gives back what C
 * library and JVM do.
 */
#include "checkpoint/checkpoint.h"
#include "restore/restore.h"

#include "base/cleanup.h"
#include "check.h"

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096u
#define PLAIN  (4u << 20)
#define CHUNK  (96u << 10) /* bytes: below what malloc maps for itself */
#define CHUNKS 40u
#define DEEP   (512u << 10)

enum finding { /* exit status of the restored program */
	       FINE,
	       PLAIN_NOT_MAPPED,
	       HEAP_WRONGLY_MAPPED,
	       ARENA_WRONGLY_MAPPED,
	       HEAP_NOT_MAPPED,
	       ARENA_NOT_MAPPED,
	       STACK_NOT_ZERO,
	       CACHED_STACK_NOT_ZERO,
	       HEAP_NOT_ZERO,
	       ARENA_NOT_ZERO,
	       BREAK_NOT_ZERO,
	       CALLOC_NOT_ZERO,
	       UNCOMMITTED_NOT_ZERO,
};

static char *plain, *heap[CHUNKS], *arena[CHUNKS], *live_stack, *cached_stack;
static volatile int stack_filled;

static uintptr_t page_of(const void *address)
{
	return (uintptr_t)address & -(uintptr_t)PAGE;
}

/* From the restored program's own /proc/self/maps. */
static bool is_mapped_file(const void *address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, inode;
	char line[512];
	bool file = false;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) == 3 &&
		    (uintptr_t)address >= start && (uintptr_t)address < end)
			file = inode != 0;
	if (maps)
		fclose(maps);
	return file;
}

static bool all_zero(const volatile char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Gives the first whole page at or above an address back. */
static bool given_back_is_zero(const char *address)
{
	char *page = (char *)page_of(address + PAGE - 1);

	return madvise(page, PAGE, MADV_DONTNEED) == 0 && all_zero(page, PAGE);
}

/* Writes DEEP bytes of stack; `then` runs above them. */
static __attribute__((noinline)) void on_filled_stack(char **ret_lowest, void (*then)(void))
{
	char frame[DEEP];
	uintptr_t lowest = (uintptr_t)frame;

	memset(frame, 0x5a, sizeof(frame));
	__asm__ volatile("" : "+r"(lowest) : : "memory");
	*ret_lowest = (char *)lowest;
	then();
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static void fill_arena_and_stay(void)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		arena[i] = malloc(CHUNK);
		memset(arena[i], 0x5a, CHUNK);
	}
	stack_filled = 1;
	for (;;)
		pause();
}

static void nothing(void)
{
}

static void *stay(void *unused)
{
	on_filled_stack(&live_stack, fill_arena_and_stay);
	return unused;
}

/* Its stack stays with the C library, for the next thread. */
static void *leave(void *unused)
{
	on_filled_stack(&cached_stack, nothing);
	return unused;
}

static void set_up(bool kept)
{
	pthread_t thread;

	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, kept ? INT_MAX : 1 << 30);
	plain = mmap(NULL, PLAIN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(plain, 0x5a, PLAIN);
	for (unsigned i = 0; i < CHUNKS; i++) {
		heap[i] = malloc(CHUNK);
		memset(heap[i], 0x5a, CHUNK);
	}
	pthread_create(&thread, NULL, leave, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, stay, NULL);
	while (!stack_filled)
		usleep(1000);
}

static enum finding check_malloc(void)
{
	char *old_break, *again;
	bool zero;

	for (unsigned i = 0; i < CHUNKS; i++)
		free(heap[i]);
	malloc_trim(0);
	for (unsigned i = 0; i < CHUNKS; i++) {
		again = calloc(1, CHUNK);
		if (!again || !all_zero(again, CHUNK))
			return CALLOC_NOT_ZERO;
	}
	/* What sbrk takes away is another memory when it comes back. */
	old_break = sbrk(0);
	memset(old_break - 2 * PAGE, 0x5a, 2 * PAGE);
	sbrk(-2 * (intptr_t)PAGE);
	sbrk(2 * (intptr_t)PAGE);
	zero = all_zero((char *)page_of(old_break - 1), PAGE);
	return zero ? FINE : BREAK_NOT_ZERO;
}

/* As HotSpot takes memory away and commits it again. */
static enum finding check_uncommit(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	mmap(plain, PLAIN / 2, PROT_NONE, flags | MAP_NORESERVE, -1, 0);
	mmap(plain, PLAIN / 2, PROT_READ | PROT_WRITE, flags, -1, 0);
	return all_zero(plain, PLAIN / 2) ? FINE : UNCOMMITTED_NOT_ZERO;
}

static enum finding check_all(bool kept)
{
	bool heap_mapped = is_mapped_file(heap[1]), arena_mapped = is_mapped_file(arena[1]);
	enum finding finding;

	if (!is_mapped_file(plain))
		return PLAIN_NOT_MAPPED;
	if (heap_mapped != kept)
		return kept ? HEAP_NOT_MAPPED : HEAP_WRONGLY_MAPPED;
	if (arena_mapped != kept)
		return kept ? ARENA_NOT_MAPPED : ARENA_WRONGLY_MAPPED;
	if (!given_back_is_zero(live_stack))
		return STACK_NOT_ZERO;
	if (!given_back_is_zero(cached_stack))
		return CACHED_STACK_NOT_ZERO;
	if (!kept && !given_back_is_zero(heap[1]))
		return HEAP_NOT_ZERO;
	if (!kept && !given_back_is_zero(arena[1]))
		return ARENA_NOT_ZERO;
	finding = check_malloc();
	return finding ? finding : check_uncommit();
}

static _Noreturn void program(bool kept, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Whatever whoever runs the test has left open. */
	close_range(0, (unsigned)ready - 1, 0);
	close_range((unsigned)ready + 1, ~0u, 0);
	set_up(kept);
	(void)!write(ready, "", 1);
	close(ready);
	while (getppid() != 0) /* in a namespace of its own it has no parent */
		usleep(1000);
	_exit(check_all(kept));
}

static enum checkpoint_action close_all(void *ctx, const struct checkpoint_fd *fd)
{
	(void)ctx;
	return fd->kind == CHECKPOINT_FD_PIPE ? CHECKPOINT_END : CHECKPOINT_CLOSE;
}

static pid_t start(bool kept)
{
	int ends[2];
	char byte;
	pid_t pid;

	CHECK_EQ(pipe(ends), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		program(kept, ends[1]);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void test(bool kept)
{
	pid_t pid = start(kept); /* before there is anything to inherit */
	CLEANUP_CLOSE int fd = memfd_create("stream", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	const struct checkpoint_options capture = {.pid = pid,
						   .stream_fd = fd,
						   .file_backed = true,
						   .arenas_kept = kept,
						   .policy.decide = close_all};
	const struct restore_options restore = {
		.manifest = &m, .stream_fd = fd, .tids = TIDS_USERNS};
	struct checkpoint_stats stats;
	struct restored restored;
	struct jsnap_error err = {0};
	int status;

	CHECK_EQ(manifest_init(&m, NULL), 0);
	CHECK_STR((checkpoint_capture(&capture, &m, &stats, &err), err.text), "");
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_STR((restore_process(&restore, &restored, &err), err.text), "");
	CHECK_EQ(waitpid(restored.pid, &status, __WALL), restored.pid);
	restore_cleanup(&restored);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), FINE);
}

int main(void)
{
	pid_t probe;
	int status;

#ifdef __SANITIZE_ADDRESS__
	fprintf(stderr, "skipped: this program's malloc is the sanitizer's, not the C library's\n");
	return 77;
#endif
	probe = fork();
	if (probe == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0);
	CHECK_EQ(waitpid(probe, &status, 0), probe);
	if (status != 0) {
		fprintf(stderr, "skipped: no user namespaces here\n");
		return 77;
	}
	test(false);
	test(true);
	return 0;
}
