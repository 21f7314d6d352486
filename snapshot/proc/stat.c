/*
 * /proc/PID/stat (fs/proc/array.c: do_task_stat): 52 fields on one line, the second of which is the
 * process's name, unescaped, and may hold blanks, parentheses and newlines. The last ')' ends it.
 */
#include "proc/status.h"

#include "base/cleanup.h"
#include "proc/procfile.h"
#include "proc/text.h"

#include <errno.h>

#define STAT_MAX_TEXT 8192

/* Fields as proc(5) numbers them; after the name and the state come numbers 4 to 52. */
enum {
	STAT_PPID = 4,
	STAT_PGRP = 5,
	STAT_SESSION = 6,
	STAT_FLAGS = 9,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_START_TIME = 22,
	STAT_START_CODE = 26,
	STAT_END_CODE = 27,
	STAT_START_STACK = 28,
	STAT_START_DATA = 45,
	STAT_END_DATA = 46,
	STAT_START_BRK = 47,
	STAT_ARG_START = 48,
	STAT_ARG_END = 49,
	STAT_ENV_START = 50,
	STAT_ENV_END = 51,
	STAT_EXIT_CODE = 52,
	STAT_FIELDS = 53,
};

/* Negative numbers are kept as two's complement. */
static bool stat_numbers(struct text *text, uint64_t numbers[STAT_FIELDS])
{
	for (int i = STAT_PPID; i < STAT_FIELDS; i++) {
		int64_t negative;

		if (!text_char(text, ' '))
			return false;
		if (text->p != text->end && *text->p == '-') {
			if (!text_signed(text, &negative))
				return false;
			numbers[i] = (uint64_t)negative;
		} else if (!text_number(text, 10, &numbers[i])) {
			return false;
		}
	}
	return true;
}

static void stat_assign(const uint64_t n[STAT_FIELDS], struct proc_stat *stat)
{
	stat->ppid = (pid_t)n[STAT_PPID];
	stat->pgrp = (pid_t)n[STAT_PGRP];
	stat->session = (pid_t)n[STAT_SESSION];
	stat->flags = (uint32_t)n[STAT_FLAGS];
	stat->utime = n[STAT_UTIME];
	stat->stime = n[STAT_STIME];
	stat->start_time = n[STAT_START_TIME];
	stat->start_code = n[STAT_START_CODE];
	stat->end_code = n[STAT_END_CODE];
	stat->start_stack = n[STAT_START_STACK];
	stat->start_data = n[STAT_START_DATA];
	stat->end_data = n[STAT_END_DATA];
	stat->start_brk = n[STAT_START_BRK];
	stat->arg_start = n[STAT_ARG_START];
	stat->arg_end = n[STAT_ARG_END];
	stat->env_start = n[STAT_ENV_START];
	stat->env_end = n[STAT_ENV_END];
	stat->exit_code = (int)n[STAT_EXIT_CODE];
}

int proc_stat_parse(const char *text, struct proc_stat *ret_stat, struct jsnap_error *err)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct text rest = {text, text + strlen(text)}, all = rest;
	uint64_t numbers[STAT_FIELDS] = {0};
	struct proc_stat stat = {0};
	size_t size;

	if (!open || !close || close < open)
		return text_bad_line(err, EBADMSG, "stat", 1, all, "no name in parentheses");
	size = (size_t)(close - open) - 1;
	if (size >= sizeof(stat.comm))
		return text_bad_line(err, EBADMSG, "stat", 1, all, "the name is too long");
	memcpy(stat.comm, open + 1, size);
	rest.p = close + 1;
	if (!text_char(&rest, ' ') || rest.p == rest.end)
		return text_bad_line(err, EBADMSG, "stat", 1, all, "no state after the name");
	stat.state = *rest.p++;
	if (!stat_numbers(&rest, numbers))
		return text_bad_line(err, EBADMSG, "stat", 1, all, "fewer than 52 numeric fields");
	stat_assign(numbers, &stat);
	*ret_stat = stat;
	return 0;
}

int proc_stat_read(pid_t pid, struct proc_stat *ret_stat, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int ret = procfile_read(pid, "stat", 2048, STAT_MAX_TEXT, &text, &size, err);

	if (ret < 0)
		return ret;
	ret = proc_stat_parse(text, ret_stat, err);
	if (ret < 0)
		error_context(err, "process %d", (int)pid);
	return ret;
}
