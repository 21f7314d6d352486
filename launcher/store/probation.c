/* See probation.h. The mark is one line: the image's id and the reason. */
#include "launcher/store/probation.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MARK_MAX 1024u

bool probation_failed(int wait_status, uint64_t after_ns, uint64_t limit_ns)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

	if (!WIFSIGNALED(wait_status) || after_ns >= limit_ns)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (WTERMSIG(wait_status) == faults[i])
			return true;
	return false;
}

static void id_text(const struct image_id *id, char ret_text[33])
{
	snprintf(ret_text, 33, "%016" PRIx64 "%016" PRIx64, id->hi, id->lo);
}

void probation_mark(const struct store_slot *slot, const struct image_id *id, int wait_status,
		    uint64_t after_ns)
{
	char line[MARK_MAX], text[33];
	CLEANUP_CLOSE int fd = -1;
	int n, r = 0;

	id_text(id, text);
	n = snprintf(line, sizeof(line),
		     "%s the program crashed (SIG%s) %.1f s after it was restored\n", text,
		     sigabbrev_np(WTERMSIG(wait_status)), (double)after_ns / 1e9);
	/* One line, one write: whoever reads half of it takes it for none. */
	fd = open(slot->bad, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		r = -errno;
	if (r == 0)
		r = write_full(fd, line, (size_t)n);
	if (r < 0)
		log_warn("the snapshot crashes, but it can't be marked bad: %s: %s", slot->bad,
			 strerror(-r));
	else
		log_warn(
			"the program crashed (SIG%s) %.1f s after it was restored; the snapshot is "
			"marked bad, and the next start is cold",
			sigabbrev_np(WTERMSIG(wait_status)), (double)after_ns / 1e9);
}

bool probation_bad(const struct store_slot *slot, const struct image_id *id, char *reason,
		   size_t size)
{
	CLEANUP_FREE char *line = NULL;
	char text[33];
	size_t length;

	if (read_file(slot->bad, MARK_MAX, &line, &length) < 0)
		return false;
	id_text(id, text);
	if (length < sizeof(text) || strncmp(line, text, 32) != 0 || line[32] != ' ' ||
	    line[length - 1] != '\n')
		return false;
	line[length - 1] = '\0';
	for (char *p = line + 33; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	snprintf(reason, size, "the snapshot is marked bad: %s", line + 33);
	return true;
}
