/* See run_decision.h. */
#include "launcher/key/run_decision.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void cold(struct run_decision *d, const char *kind, bool take, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void cold(struct run_decision *d, const char *kind, bool take, const char *fmt, ...)
{
	va_list ap;

	d->action = RUN_COLD;
	d->kind = kind;
	d->take = take;
	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
}

/*
 * Is the snapshot at fault, so that a new one is worth taking? A taken PID or port, a missing
 * privilege or too little memory is the moment's or the machine's fault: another start may well
 * restore it.
 */
static bool snapshot_at_fault(int failure)
{
	switch (-failure) {
	case EBUSY:
	case EADDRINUSE:
	case EPERM:
	case EACCES:
	case EAGAIN:
	case ENOMEM:
	case ETIMEDOUT:
	case ENOSPC:
	case EMFILE:
	case ENFILE:
	case EINTR:
		return false;
	default:
		return true;
	}
}

static void decide_failed(const struct run_facts *f, struct run_decision *d)
{
	cold(d, "failed", !f->no_checkpoint && snapshot_at_fault(f->failure),
	     "the snapshot could not be restored: %s", f->failure_text);
	if (f->on_failure == FAILURE_FAIL)
		d->action = RUN_FAIL;
}

void run_decide(const struct run_facts *f, struct run_decision *ret_decision)
{
	struct run_decision *d = ret_decision;
	bool take = !f->no_checkpoint;

	*d = (struct run_decision){.action = RUN_RESTORE};
	if (f->no_snapshot)
		cold(d, "unsuitable", false, "%s", f->no_snapshot);
	else if (f->store_problem)
		cold(d, "store", false, "no snapshots can be kept: %s", f->store_problem);
	else if (f->locked)
		cold(d, "locked", false, "another jsnap is working on this snapshot");
	else if (f->no_restore)
		cold(d, "no-restore", take, "--no-restore was given");
	else if (f->image == -ENOENT)
		cold(d, "absent", take, "there is no snapshot of it yet");
	else if (f->image < 0)
		/* One that belongs to somebody else is not ours to replace, nor an encrypted one
		 * by one that is not. */
		cold(d, "refused", take && f->image != -EPERM && f->image != -ENOKEY,
		     "the snapshot is refused: %s", f->image_problem);
	else if (f->bad)
		cold(d, "bad", take, "%s", f->bad);
	else if (f->stale)
		cold(d, "stale", take, "%s", f->stale);
	else if (f->failure)
		decide_failed(f, d);
}
