/* See probation.h. The mark is one line: how it begins, the image's id and the reason. */
#include "launcher/store/probation.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/tempfile.h"
#include "launcher/report/log.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
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

static bool no_room(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EFBIG;
}

/* Whether this very image is gone: what can't be marked is not to crash at the next start, too. */
static bool remove_image(const struct store_slot *slot, const struct image_id *id,
			 struct jsnap_error *err)
{
	CLEANUP_STORE_SLOT struct store_slot own = {.lock_fd = -1};
	struct image_header header;
	CLEANUP_CLOSE int fd = -1;

	if (store_slot_of_image(slot->image, &own, err) < 0 ||
	    store_lock(&own, STORE_LOCK_EXCLUSIVE, false, err) < 0)
		return false;
	fd = store_open_image(&own, err);
	return fd >= 0 && image_read_header(fd, &header, err) == 0 && header.id.hi == id->hi &&
	       header.id.lo == id->lo && store_remove(&own, err) == 0;
}

void probation_mark(const struct store_slot *slot, const struct image_id *id, int wait_status,
		    uint64_t after_ns)
{
	char line[MARK_MAX], text[33];
	struct iovec part = {.iov_base = line};
	struct jsnap_error problem = {0};
	int r;

	id_text(id, text);
	part.iov_len = (size_t)snprintf(
		line, sizeof(line),
		PLACE_MARK_MAGIC " %s the program crashed (SIG%s) %.1f s after it was restored\n",
		text, sigabbrev_np(WTERMSIG(wait_status)), (double)after_ns / 1e9);
	r = tempfile_write(slot->bad, &part, 1, slot->spare_others ? PLACE_MARK : PLACE_ANY,
			   &problem);
	if (no_room(r) && !slot->spare_others && remove_image(slot, id, NULL))
		log_warn("the program crashed (SIG%s) %.1f s after it was restored; there is no "
			 "room to mark the snapshot bad (%s): it was removed, and the next start "
			 "is cold",
			 sigabbrev_np(WTERMSIG(wait_status)), (double)after_ns / 1e9, problem.text);
	else if (r < 0)
		log_warn("the snapshot crashes, but it can't be marked bad: %s; remove %s",
			 problem.text, slot->image);
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
	struct jsnap_error problem = {0};
	char text[33], due[64];
	int prefix;
	CLEANUP_CLOSE int fd = store_open_beside(slot->bad, &problem);

	if (fd < 0 && fd != -ENOENT)
		log_warn("no mark is looked at: %s", problem.text);
	if (fd < 0 || read_file_fd(fd, MARK_MAX, MARK_MAX, &line, NULL) < 0)
		return false;
	id_text(id, text);
	prefix = snprintf(due, sizeof(due), PLACE_MARK_MAGIC " %s ", text);
	if (strncmp(line, due, (size_t)prefix) != 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	error_one_line(line);
	snprintf(reason, size, "the snapshot is marked bad: %s", line + prefix);
	return true;
}
