/*
 * The order in which the ways to original TIDs are tried, what is known of each without trying it,
 * and what is said when none works. See tids.h.
 */
#include "restore/tids.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const enum tids_way ORDER[] = {TIDS_CLONE3, TIDS_USERNS, TIDS_NS_LAST_PID, TIDS_WALK};

static int check_clock(clockid_t clock, const char *name, uint64_t then, struct jsnap_error *err)
{
	int64_t behind = (int64_t)(then - clock_ns(clock));

	if (behind <= 0)
		return 0;
	error_set(err, ESTALE,
		  "%s would go backwards by %lld s: the snapshot is of another boot or machine",
		  name, (long long)(behind / 1000000000) + 1);
	return error_hint(err, "only a time namespace (userns) can set it forward");
}

/* Without a time namespace a clock that is behind the snapshot's would stall every wait in it,
 * until it has caught up: a JVM has no hook for that (nanoTime and its deadlines are
 * CLOCK_MONOTONIC). CLOCK_BOOTTIME is ahead of that one by the time a machine was suspended. */
static int check_clocks(const struct restore_options *options, enum tids_way way,
			struct jsnap_error *err)
{
	const struct m_process *p = options->manifest->process;
	int r = 0;

	if (way != TIDS_USERNS)
		r = check_clock(CLOCK_MONOTONIC, "CLOCK_MONOTONIC", p->monotonic_ns, err);
	if (way != TIDS_USERNS && r == 0)
		r = check_clock(CLOCK_BOOTTIME, "CLOCK_BOOTTIME", p->boottime_ns, err);
	return r;
}

static int check_walk(const struct tids_ladder *ladder, struct jsnap_error *err)
{
	const struct restore_options *options = ladder->options;
	const struct seek_walk walk = {options->manifest, options->walk_budget_ns, options->say};

	return seek_afford_walk(&walk, ladder->walk, err);
}

static int check_clone3(struct jsnap_error *err)
{
	if (!tids_has_clone3())
		return error_set(err, ENOSYS,
				 "a seccomp filter hides it, or the kernel is too old");
	if (privilege_tid_capability() < 0)
		return error_set(err, EPERM, "choosing a PID takes CAP_CHECKPOINT_RESTORE");
	return 0;
}

static int check_last_pid(struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = -1;

	if (privilege_tid_capability() < 0)
		return error_set(err, EPERM,
				 "setting the PID counter takes "
				 "CAP_CHECKPOINT_RESTORE");
	return seek_open_last_pid(&fd, err);
}

/* What can be known without a restore; 0: it is worth an attempt. `deadline` as tids_check_free's.
 */
static int check_way(const struct tids_ladder *ladder, enum tids_way way, uint64_t *deadline,
		     struct jsnap_error *err)
{
	const struct restore_options *options = ladder->options;
	int r = 0;

	if (way == TIDS_CLONE3)
		r = check_clone3(err);
	else if (way == TIDS_NS_LAST_PID)
		r = check_last_pid(err);
	if (r == 0)
		r = check_clocks(options, way, err);
	if (r == 0 && way != TIDS_USERNS)
		r = tids_check_free(options->manifest, deadline, err);
	if (r == 0 && way == TIDS_WALK)
		r = check_walk(ladder, err);
	return r;
}

static int try_way(const struct tids_ladder *ladder, enum tids_way way, uint64_t *deadline,
		   struct jsnap_error *err)
{
	int r = check_way(ladder, way, deadline, err);

	return r < 0 ? r : ladder->attempt(ladder->arg, way, err);
}

/* The place is at fault, or the moment: another way may work. */
static bool may_differ(int r)
{
	static const int CODES[] = {EBUSY, EPERM,  EACCES, ENOSYS, ESTALE,
				    EROFS, ERANGE, E2BIG,  ENOSPC, EUSERS};

	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
		if (r == -CODES[i])
			return true;
	return false;
}

struct reasons {
	char text[900];
	size_t used;
	int code; /* of the last way that is open to this process at all */
};

static void add_reason(struct reasons *reasons, enum tids_way way, const struct jsnap_error *why)
{
	size_t room = sizeof(reasons->text) - reasons->used;
	int n = snprintf(reasons->text + reasons->used, room, "%s%s: %s", reasons->used ? "; " : "",
			 tids_way_name(way), why->text);

	reasons->used += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
	if (!reasons->code || (why->code != EPERM && why->code != EACCES && why->code != ENOSYS &&
			       why->code != EROFS))
		reasons->code = why->code;
}

int tids_climb(const struct tids_ladder *ladder, enum tids_way *ret_way, struct jsnap_error *err)
{
	struct reasons reasons = {0};
	uint64_t deadline = 0;

	if (ladder->options->tids != TIDS_AUTO) {
		*ret_way = ladder->options->tids;
		return try_way(ladder, *ret_way, &deadline, err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
		struct jsnap_error why = {0};
		int r = try_way(ladder, ORDER[i], &deadline, &why);

		*ret_way = ORDER[i];
		if (r == 0)
			return 0;
		if (!may_differ(r)) {
			if (err)
				*err = why;
			return r;
		}
		add_reason(&reasons, ORDER[i], &why);
		if (ladder->options->say)
			ladder->options->say("tids: %s does not work here: %s",
					     tids_way_name(ORDER[i]), why.text);
	}
	return error_set(err, reasons.code, "no way to the original TIDs works here (%s)",
			 reasons.text);
}
