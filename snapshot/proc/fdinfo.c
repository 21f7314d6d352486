/* See fdinfo.h: the whole text, its arrays, and the list of descriptors. */
#include "proc/fdinfo.h"

#include "base/cleanup.h"
#include "proc/fdinfo_line.h"
#include "proc/procfile.h"

#include <errno.h>

/* FDINFO_MAX_TARGETS lines of up to 256 bytes. */
#define FDINFO_MAX_TEXT	   (16u << 20)
#define FDINFO_EXPECT_TEXT (16u << 10)

/* Room for one more element of an array that grows by doubling; its capacity is implied. */
static int fdinfo_grow(void **array, size_t count, size_t element)
{
	void *grown;

	if (count == FDINFO_MAX_TARGETS)
		return -E2BIG;
	if (count & (count - 1))
		return 0;
	grown = reallocarray(*array, count ? count * 2 : 1, element);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

static int fdinfo_line(struct text line, struct fdinfo *info, unsigned int *seen)
{
	int ret;

	if (text_literal(&line, "tfd:")) {
		ret = fdinfo_grow((void **)&info->epoll, info->n_epoll, sizeof(*info->epoll));
		if (ret < 0)
			return ret;
		if (!fdinfo_line_epoll(line, &info->epoll[info->n_epoll]))
			return -EBADMSG;
		info->n_epoll++;
		return 0;
	}
	if (text_literal(&line, "inotify ")) {
		ret = fdinfo_grow((void **)&info->inotify, info->n_inotify, sizeof(*info->inotify));
		if (ret < 0)
			return ret;
		if (!fdinfo_line_inotify(line, &info->inotify[info->n_inotify]))
			return -EBADMSG;
		info->n_inotify++;
		return 0;
	}
	if (text_literal(&line, "lock:")) {
		ret = fdinfo_grow((void **)&info->locks, info->n_locks, sizeof(*info->locks));
		if (ret < 0)
			return ret;
		if (!fdinfo_line_lock(line, &info->locks[info->n_locks]))
			return -EBADMSG;
		info->n_locks++;
		return 0;
	}
	return fdinfo_line_scalar(line, info, seen) ? 0 : -EBADMSG;
}

int fdinfo_parse(const char *text, struct fdinfo *ret_info, struct jsnap_error *err)
{
	struct text whole = {text, text + strlen(text)}, line;
	CLEANUP_FDINFO struct fdinfo info = {0};
	unsigned int seen = 0;

	for (size_t number = 1; text_line(&whole, &line); number++) {
		int ret = fdinfo_line(line, &info, &seen);

		if (ret == -E2BIG)
			return text_bad_line(err, E2BIG, "fdinfo", number, line,
					     "more targets than the 65536 allowed");
		if (ret == -ENOMEM)
			return error_set(err, ENOMEM, "fdinfo: out of memory");
		if (ret < 0)
			return text_bad_line(err, EBADMSG, "fdinfo", number, line,
					     "malformed value");
	}
	if (seen != (FDINFO_SEEN_POS | FDINFO_SEEN_FLAGS))
		return error_set(err, EBADMSG, "fdinfo: no line '%s'",
				 seen & FDINFO_SEEN_POS ? "flags:" : "pos:");
	*ret_info = info;
	info = (struct fdinfo){0};
	return 0;
}

int fdinfo_read(pid_t pid, int fd, struct fdinfo *ret_info, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char leaf[32];
	size_t size;
	int ret;

	snprintf(leaf, sizeof(leaf), "fdinfo/%d", fd);
	ret = procfile_read(pid, leaf, FDINFO_EXPECT_TEXT, FDINFO_MAX_TEXT, &text, &size, err);
	if (ret < 0)
		return ret;
	ret = fdinfo_parse(text, ret_info, err);
	if (ret < 0)
		error_context(err, "descriptor %d of process %d", fd, (int)pid);
	return ret;
}

void fdinfo_free(struct fdinfo *info)
{
	free(info->epoll);
	free(info->inotify);
	free(info->locks);
	info->epoll = NULL;
	info->inotify = NULL;
	info->locks = NULL;
	info->n_epoll = info->n_inotify = info->n_locks = 0;
}

int proc_fds_read(pid_t pid, int **ret_fds, size_t *ret_count, struct jsnap_error *err)
{
	return procfile_numbers(pid, "fd", ret_fds, ret_count, err);
}
