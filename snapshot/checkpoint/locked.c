/*
 * Whether memory that the process maps from now on will be locked (mlockall(2), MCL_FUTURE), which
 * no file of /proc tells. do_mmap (mm/mmap.c) adds up what would be locked before it looks whether
 * private or shared memory is wanted at all: a request for neither, larger than may be locked, is
 * refused with EAGAIN if it would be, else with EINVAL, and nothing is mapped. Where there is no
 * limit, and to know whether locking waits for the first touch (MCL_ONFAULT), a page is mapped for
 * a moment and looked at.
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int call_mmap(struct capture *c, uint64_t size, uint64_t flags, long *ret_result,
		     struct jsnap_error *err)
{
	return remote_call(&c->leader, ret_result, err, SYS_mmap,
			   REMOTE_ARGS(0, size, PROT_NONE, flags | MAP_ANONYMOUS, UINT64_MAX, 0));
}

/* `*ret_answer` is -EAGAIN, -EINVAL, or 0 where there is no limit to ask by. */
static int ask_without_mapping(struct capture *c, uint64_t page, long *ret_answer,
			       struct jsnap_error *err)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	*ret_answer = 0;
	prlimit(c->options->pid, RLIMIT_MEMLOCK, NULL, &limit);
	if (limit.rlim_cur >= 1ull << 40 || (c->status.cap_effective >> CAP_IPC_LOCK & 1))
		return 0;
	return call_mmap(c, limit.rlim_cur + page, 0, ret_answer, err);
}

static int look_at_page(struct capture *c, uint64_t page, uint8_t *ret_flags,
			struct jsnap_error *err)
{
	CLEANUP_MAPS struct maps maps = {0};
	const struct maps_entry *entry = NULL;
	struct proc_status now;
	long at = 0, result;
	int unmapped, r = call_mmap(c, page, MAP_PRIVATE, &at, err);

	if (r < 0 || at < 0) {
		*ret_flags = at == -EAGAIN ? MCL_FUTURE : 0;
		return r;
	}
	r = proc_status_read(c->options->pid, 0, &now, err);
	if (r == 0 && now.vm_locked != c->status.vm_locked) {
		r = maps_read(c->options->pid, true, &maps, err);
		entry = r == 0 ? maps_find(&maps, (uint64_t)at) : NULL;
	}
	if (entry && (entry->vmflags & MAPS_VM_LOCKED))
		*ret_flags = MCL_FUTURE | (entry->vmflags & MAPS_VM_LOCKONFAULT ? MCL_ONFAULT : 0);
	unmapped = remote_call(&c->leader, &result, r < 0 ? NULL : err, SYS_munmap,
			       REMOTE_ARGS((uint64_t)at, page));
	return r < 0 ? r : unmapped;
}

int capture_future_locks(struct capture *c, uint8_t *ret_flags, struct jsnap_error *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	long answer;
	int r = ask_without_mapping(c, page, &answer, err);

	*ret_flags = 0;
	if (r < 0 || (answer < 0 && answer != -EAGAIN))
		return r;
	return look_at_page(c, page, ret_flags, err);
}
