/* One line of /proc/PID/fdinfo/N (private to fdinfo.c). */
#ifndef JSNAP_PROC_FDINFO_LINE_H
#define JSNAP_PROC_FDINFO_LINE_H

#include "proc/fdinfo.h"
#include "proc/text.h"

/* Lines every descriptor has, as bits of *seen. */
enum { FDINFO_SEEN_POS = 1, FDINFO_SEEN_FLAGS = 2 };

/* Lines of one value. Unknown lines are ignored: file types add their own. False: malformed. */
bool fdinfo_line_scalar(struct text line, struct fdinfo *info, unsigned int *seen);

/* After "tfd:", "inotify " and "lock:". False: malformed. */
bool fdinfo_line_epoll(struct text line, struct fdinfo_epoll_target *ret_target);
bool fdinfo_line_inotify(struct text line, struct fdinfo_inotify_watch *ret_watch);
bool fdinfo_line_lock(struct text line, struct fdinfo_lock *ret_lock);

#endif
