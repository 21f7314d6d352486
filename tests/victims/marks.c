/*
 * What madvise(2), mlock(2) and mlock2(2) have marked, on neighbours that differ in nothing else,
 * as the kernel shows it (VmFlags of smaps) and, where a program can tell, as it behaves: fork.
 */
#include "victim.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define SIZE (4 * PAGE)

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static const struct mark {
	const char *name;
	int advice; /* -1: mlock(2) */
	const char *flag;
} marks[] = {
	{"DONTFORK", MADV_DONTFORK, "dc"},     {"WIPEONFORK", MADV_WIPEONFORK, "wf"},
	{"MERGEABLE", MADV_MERGEABLE, "mg"},   {"DONTDUMP", MADV_DONTDUMP, "dd"},
	{"HUGEPAGE", MADV_HUGEPAGE, "hg"},     {"NOHUGEPAGE", MADV_NOHUGEPAGE, "nh"},
	{"SEQUENTIAL", MADV_SEQUENTIAL, "sr"}, {"RANDOM", MADV_RANDOM, "rr"},
	{"NORMAL", MADV_NORMAL, ""},	       {"locked", -1, "lo"},
};
#define N (sizeof(marks) / sizeof(marks[0]))

/* 1: the child sees zeros, 2: it sees nothing and dies, 0: it sees what is there. */
static int seen_by_child(const volatile unsigned char *page)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(page[5] == 0 ? 1 : 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 2 : WEXITSTATUS(status);
}

static int resident(void *area)
{
	unsigned char pages[SIZE / PAGE];
	int n = 0;

	SETUP(mincore(area, SIZE, pages) == 0);
	for (size_t i = 0; i < SIZE / PAGE; i++)
		n += pages[i] & 1;
	return n;
}

int main(int argc, char **argv)
{
	char before[N][256], after[256];
	unsigned char *area, *at[N], *faulted;
	bool set[N], on_fault;

	victim_init(argc, argv);
	area = mmap(NULL, N * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(area != MAP_FAILED);
	for (size_t i = 0; i < N; i++) {
		at[i] = area + i * SIZE;
		victim_fill(at[i], SIZE);
		at[i][5] = 77;
		set[i] = marks[i].advice < 0 ? mlock(at[i], SIZE) == 0
					     : madvise(at[i], SIZE, marks[i].advice) == 0;
		if (!set[i]) /* a kernel without it, or no right to lock */
			fprintf(stderr, "not tried here: %s: %s\n", marks[i].name, strerror(errno));
	}
	for (size_t i = 0; i < N; i++) {
		victim_vmflags(at[i], before[i], sizeof(before[i]));
		SETUP(!set[i] || strstr(before[i], marks[i].flag));
	}
	faulted = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(faulted != MAP_FAILED);
	on_fault = mlock2(faulted, SIZE, MLOCK_ONFAULT) == 0;
	faulted[PAGE] = 7;
	victim_ready();
	EXPECT(!on_fault || resident(faulted) == 1);
	EXPECT_EQ(faulted[PAGE], 7);
	victim_vmflags(faulted, after, sizeof(after));
	EXPECT(!on_fault || strstr(after, " lo "));
	for (size_t i = 0; i < N; i++) {
		victim_vmflags(at[i], after, sizeof(after));
		EXPECT_STR(after, before[i]);
		EXPECT_EQ(at[i][5], 77);
		at[i][5] = victim_byte(5);
		victim_expect_filled(marks[i].name, at[i], SIZE);
		at[i][5] = 77;
	}
	EXPECT_EQ(seen_by_child(at[0]), set[0] ? 2 : 0);
	EXPECT_EQ(seen_by_child(at[1]), set[1] ? 1 : 0);
	EXPECT_EQ(seen_by_child(at[3]), 0);
	return victim_result();
}
