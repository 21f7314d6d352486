/*
 * One line of fdinfo: fs/proc/fd.c (seq_show), fs/eventfd.c, fs/timerfd.c, fs/signalfd.c,
 * fs/eventpoll.c, fs/notify/fdinfo.c, fs/pidfs.c, fs/locks.c (lock_get_status).
 *
 * Bases are what the kernel's format strings say and not always what its documentation says:
 * inotify's wd is printed with %x.
 */
#include "proc/fdinfo_line.h"

#include "base/cleanup.h"

#include <sys/sysmacros.h>

/* The kernel prints its own dev_t, 12 bits of major over 20 of minor; stat(2) encodes differently.
 */
static uint64_t fdinfo_dev(uint64_t sdev)
{
	return makedev((unsigned int)(sdev >> 20), (unsigned int)(sdev & 0xfffff));
}

static bool fdinfo_field(struct text *line, const char *key)
{
	text_blanks(line);
	if (!text_literal(line, key))
		return false;
	text_blanks(line);
	return true;
}

bool fdinfo_line_epoll(struct text line, struct fdinfo_epoll_target *ret_target)
{
	struct fdinfo_epoll_target target = {0};
	uint64_t sdev;
	int64_t pos;

	text_blanks(&line);
	if (!text_int(&line, &target.fd))
		return false;
	if (!fdinfo_field(&line, "events:") || !text_u32(&line, 16, &target.events))
		return false;
	if (!fdinfo_field(&line, "data:") || !text_number(&line, 16, &target.data))
		return false;
	if (fdinfo_field(&line, "pos:")) { /* 4.13 */
		if (!text_signed(&line, &pos) || !fdinfo_field(&line, "ino:") ||
		    !text_number(&line, 16, &target.inode) || !fdinfo_field(&line, "sdev:") ||
		    !text_number(&line, 16, &sdev))
			return false;
		target.dev = fdinfo_dev(sdev);
	}
	*ret_target = target;
	return true;
}

bool fdinfo_line_inotify(struct text line, struct fdinfo_inotify_watch *ret_watch)
{
	struct fdinfo_inotify_watch watch = {0};
	uint64_t sdev;
	uint32_t wd;

	if (!fdinfo_field(&line, "wd:") || !text_u32(&line, 16, &wd) || wd > INT32_MAX)
		return false;
	if (!fdinfo_field(&line, "ino:") || !text_number(&line, 16, &watch.inode))
		return false;
	if (!fdinfo_field(&line, "sdev:") || !text_number(&line, 16, &sdev))
		return false;
	if (!fdinfo_field(&line, "mask:") || !text_u32(&line, 16, &watch.mask))
		return false;
	watch.wd = (int)wd;
	watch.dev = fdinfo_dev(sdev);
	*ret_watch = watch;
	return true;
}

static bool fdinfo_lock_kind(struct text *line, enum fdinfo_lock_kind *ret_kind)
{
	static const struct {
		const char *word;
		enum fdinfo_lock_kind kind;
	} kinds[] = {
		{"POSIX ", FDINFO_LOCK_POSIX}, {"OFDLCK ", FDINFO_LOCK_OFD},
		{"FLOCK ", FDINFO_LOCK_FLOCK}, {"LEASE ", FDINFO_LOCK_LEASE},
		{"DELEG ", FDINFO_LOCK_LEASE}, {"ACCESS ", FDINFO_LOCK_POSIX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!text_literal(line, kinds[i].word))
			continue;
		*ret_kind = kinds[i].kind;
		return true;
	}
	return false;
}

/* Skips a word such as ADVISORY or ACTIVE; the device may be "<none>:0". */
static bool fdinfo_word(struct text *line)
{
	const char *start;

	text_blanks(line);
	for (start = line->p; line->p != line->end && *line->p != ' ';)
		line->p++;
	return line->p != start;
}

bool fdinfo_line_lock(struct text line, struct fdinfo_lock *ret_lock)
{
	struct fdinfo_lock lock = {0};
	uint64_t id;

	text_blanks(&line);
	if (!text_number(&line, 10, &id) || !text_literal(&line, ": ") ||
	    !fdinfo_lock_kind(&line, &lock.kind) || !fdinfo_word(&line))
		return false;
	text_blanks(&line);
	lock.write = text_literal(&line, "WRITE");
	if (!lock.write && !text_literal(&line, "READ") && !text_literal(&line, "UNLCK"))
		return false;
	text_blanks(&line);
	if (!text_int(&line, &lock.pid) || !fdinfo_word(&line))
		return false;
	text_blanks(&line);
	if (!text_number(&line, 10, &lock.start))
		return false;
	text_blanks(&line);
	if (text_literal(&line, "EOF"))
		lock.end = UINT64_MAX;
	else if (!text_number(&line, 10, &lock.end))
		return false;
	*ret_lock = lock;
	return true;
}

/* "(12, 500000000)": seconds and nanoseconds */
static bool fdinfo_timespec(struct text *line, uint64_t *ret_ns)
{
	uint64_t seconds, nanoseconds, ns;

	if (!text_char(line, '(') || !text_number(line, 10, &seconds) || !text_char(line, ','))
		return false;
	text_blanks(line);
	if (!text_number(line, 10, &nanoseconds) || !text_char(line, ')'))
		return false;
	if (__builtin_mul_overflow(seconds, UINT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, nanoseconds, &ns))
		return false;
	*ret_ns = ns;
	return true;
}

/* The last of the numbers. */
static bool fdinfo_nspid(struct text *line, pid_t *ret_pid)
{
	pid_t pid;

	if (!text_int(line, &pid))
		return false;
	for (text_blanks(line); line->p != line->end; text_blanks(line))
		if (!text_int(line, &pid))
			return false;
	*ret_pid = pid;
	return true;
}

static bool fdinfo_timerfd(struct text line, struct fdinfo *info, bool *ret_known)
{
	uint32_t flags;

	*ret_known = true;
	if (fdinfo_field(&line, "clockid:")) {
		info->has_timerfd = true;
		return text_int(&line, &info->timerfd_clockid);
	}
	if (fdinfo_field(&line, "ticks:"))
		return text_number(&line, 10, &info->timerfd_ticks);
	if (fdinfo_field(&line, "settime flags:")) {
		if (!text_u32(&line, 8, &flags) || flags > INT32_MAX)
			return false;
		info->timerfd_settime_flags = (int)flags;
		return true;
	}
	if (fdinfo_field(&line, "it_value:"))
		return fdinfo_timespec(&line, &info->timerfd_value_ns);
	if (fdinfo_field(&line, "it_interval:"))
		return fdinfo_timespec(&line, &info->timerfd_interval_ns);
	*ret_known = false;
	return true;
}

static bool fdinfo_other(struct text line, struct fdinfo *info)
{
	uint64_t flag;

	if (fdinfo_field(&line, "eventfd-count:")) {
		info->has_eventfd = true;
		return text_number(&line, 16, &info->eventfd_count);
	}
	if (fdinfo_field(&line, "eventfd-semaphore:")) {
		if (!text_number(&line, 10, &flag))
			return false;
		info->eventfd_semaphore = flag != 0;
		return true;
	}
	if (fdinfo_field(&line, "sigmask:")) {
		info->has_signalfd = true;
		return text_number(&line, 16, &info->signalfd_mask);
	}
	if (fdinfo_field(&line, "Pid:"))
		return text_int(&line, &info->pidfd_pid);
	if (fdinfo_field(&line, "NSpid:"))
		return fdinfo_nspid(&line, &info->pidfd_nspid);
	return true;
}

bool fdinfo_line_scalar(struct text line, struct fdinfo *info, unsigned int *seen)
{
	int64_t pos;
	bool known;

	if (fdinfo_field(&line, "pos:")) {
		*seen |= FDINFO_SEEN_POS;
		if (!text_signed(&line, &pos))
			return false;
		info->pos = (uint64_t)pos;
		return true;
	}
	if (fdinfo_field(&line, "flags:")) {
		*seen |= FDINFO_SEEN_FLAGS;
		return text_u32(&line, 8, &info->flags);
	}
	if (fdinfo_field(&line, "mnt_id:"))
		return text_int(&line, &info->mnt_id);
	if (fdinfo_field(&line, "ino:"))
		return text_number(&line, 10, &info->inode);
	if (!fdinfo_timerfd(line, info, &known))
		return false;
	return known || fdinfo_other(line, info);
}
