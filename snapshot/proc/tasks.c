/*
 * Who belongs to a process: its threads and its direct children.
 *
 * Threads and children of a process that runs may come and go while they are read; a caller who
 * must know all of them stops what it has found and reads again until nothing is new.
 */
#include "proc/status.h"

#include "base/cleanup.h"
#include "proc/procfile.h"
#include "proc/text.h"

#include <errno.h>

#define CHILDREN_MAX_TEXT                                                       \
	(64u << 20) /* PROCFILE_MAX_NUMBERS of at most 11 characters, and spare \
		     */

_Static_assert(sizeof(pid_t) == sizeof(int), "pid_t is an int");

int proc_tasks_read(pid_t pid, pid_t **ret_tids, size_t *ret_count, struct jsnap_error *err)
{
	return procfile_numbers(pid, "task", ret_tids, ret_count, err);
}

struct pids {
	pid_t *values;
	size_t count;
};

static int pids_append(struct pids *pids, pid_t pid, struct jsnap_error *err)
{
	/* Grows when the count reaches a power of two. */
	if ((pids->count & (pids->count - 1)) == 0) {
		size_t capacity = pids->count ? pids->count * 2 : 1;
		pid_t *grown = reallocarray(pids->values, capacity, sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "no memory for %zu children", capacity);
		pids->values = grown;
	}
	pids->values[pids->count++] = pid;
	return 0;
}

/* "123 456 " */
static int children_parse(const char *data, size_t size, struct pids *pids, struct jsnap_error *err)
{
	struct text text = {data, data + size};
	pid_t pid;

	for (text_blanks(&text); text.p != text.end; text_blanks(&text)) {
		int ret;

		if (!text_int(&text, &pid))
			return text_bad_line(err, EBADMSG, "children", 1, text, "expected a PID");
		ret = pids_append(pids, pid, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* -ESRCH also when the kernel has no such file. */
static int children_of_task(pid_t pid, pid_t tid, struct pids *pids, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char leaf[48];
	size_t size;
	int ret;

	snprintf(leaf, sizeof(leaf), "task/%d/children", (int)tid);
	ret = procfile_read(pid, leaf, 4096, CHILDREN_MAX_TEXT, &text, &size, err);
	if (ret < 0)
		return ret;
	return children_parse(text, size, pids, err);
}

/* The kernel has no "children" file (CONFIG_PROC_CHILDREN): ask every process for its parent. */
static int children_by_scan(pid_t pid, struct pids *pids, struct jsnap_error *err)
{
	CLEANUP_FREE int *all = NULL;
	size_t count;
	int ret = procfile_numbers(0, "", &all, &count, err);

	for (size_t i = 0; ret == 0 && i < count; i++) {
		struct proc_stat stat;
		int found = proc_stat_read(all[i], &stat, err);

		if (found == -ESRCH)
			continue;
		if (found < 0)
			return found;
		if (stat.ppid == pid)
			ret = pids_append(pids, all[i], err);
	}
	return ret;
}

static bool children_file_exists(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
	return access(path, R_OK) == 0;
}

static int pids_compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static int children_collect(pid_t pid, struct pids *pids, struct jsnap_error *err)
{
	CLEANUP_FREE pid_t *tids = NULL;
	size_t count;
	int ret = proc_tasks_read(pid, &tids, &count, err);

	if (ret < 0)
		return ret;
	if (!children_file_exists())
		return children_by_scan(pid, pids, err);
	for (size_t i = 0; i < count; i++) {
		ret = children_of_task(pid, tids[i], pids, err);
		/* A thread that has ended handed its children to another one. */
		if (ret < 0 && ret != -ESRCH)
			return ret;
	}
	return 0;
}

int proc_children_read(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct jsnap_error *err)
{
	struct pids pids = {0};
	int ret = children_collect(pid, &pids, err);

	if (ret < 0) {
		free(pids.values);
		return ret;
	}
	if (pids.count)
		qsort(pids.values, pids.count, sizeof(*pids.values), pids_compare);
	*ret_pids = pids.values;
	*ret_count = pids.count;
	return 0;
}
