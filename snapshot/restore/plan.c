/* See plan.h: the region, its allocator, and what the restorer's report means. */
#include "restore/plan.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "restore/tids.h"
#include "trace/sigframe.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

extern const char restorer_blob[], restorer_blob_end[];

#define PAGE	     4096ull
#define USER_END     0x7ffffffff000ull /* TASK_SIZE of four-level page tables */
#define HOLE_MARGIN  (1ull << 30)      /* of free space on both sides of the region */
#define BLOB_OFFSET  PAGE
#define LEADER_STACK (32u << 10)

struct span {
	uint64_t start, end;
};

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* The middle of the largest stretch that neither process uses. */
static int find_hole(const struct plan *plan, uint64_t size, uint64_t *ret_start,
		     struct jsnap_error *err)
{
	size_t count = plan->self.count + plan->m->n_vmas;
	CLEANUP_FREE struct span *used = calloc(count + 1, sizeof(*used));
	uint64_t best = 0, best_size = 0, reach = 1ull << 20;
	size_t n = 0;

	if (!used)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->self.count; i++)
		if (plan->self.entries[i].start < USER_END)
			used[n++] = (struct span){plan->self.entries[i].start,
						  plan->self.entries[i].end};
	for (uint32_t i = 0; i < plan->m->n_vmas; i++)
		used[n++] = (struct span){plan->m->vmas[i].start, plan->m->vmas[i].end};
	used[n++] = (struct span){USER_END, USER_END};
	qsort(used, n, sizeof(*used), by_start);
	for (size_t i = 0; i < n; i++) {
		if (used[i].start > reach && used[i].start - reach > best_size) {
			best = reach;
			best_size = used[i].start - reach;
		}
		if (used[i].end > reach)
			reach = used[i].end;
	}
	if (best_size < size + 2 * HOLE_MARGIN)
		return error_set(err, ENOMEM,
				 "no free address space of %llu bytes for the restorer",
				 (unsigned long long)size);
	*ret_start = (best + best_size / 2) & ~(PAGE - 1);
	return 0;
}

static size_t count_ops(const struct manifest *m, const struct working_set *set)
{
	/* A run may be cut by every border of a mapping. */
	return (set ? set->count + m->n_vmas + WORKING_SET_BYTES_MAX / PLAN_STEP : 0) + 256 +
	       12ull * m->n_vmas + 2ull * m->n_pieces + 20ull * m->n_threads +
	       2ull * m->n_siginfos + m->n_sigactions + 4ull * m->n_posix_timers + m->n_locks +
	       4ull * m->n_objects + m->n_guards + 3ull * m->n_fds + m->n_epoll_targets +
	       m->process->stream_size / PLAN_STEP +
	       (m->n_posix_timers ? 2ull * PLAN_TIMER_IDS_MAX : 0);
}

static size_t count_data(const struct manifest *m)
{
	size_t blobs = m->blobs_size + 64ull * m->n_sigactions + 256ull * m->n_siginfos +
		       256ull * m->n_posix_timers + 64ull * m->n_locks + 16ull * m->n_fds +
		       32ull * m->n_epoll_targets;

	return (size_t)(m->n_threads + 1) *
		       (SIGFRAME_MAX + PLAN_THREAD_STACK + sizeof(struct rst_thread) + 512) +
	       LEADER_STACK + PLAN_VDSO_SCRATCH + blobs + 64 * 1024;
}

/*
 * What is only data is shared with the child that is cloned: of private memory every page that it
 * or one of its threads writes would be copied, and all processors told.
 */
static int map_region(struct plan *plan, uint64_t hole, size_t data_at, struct jsnap_error *err)
{
	const int flags = MAP_ANONYMOUS | MAP_NORESERVE;
	char *region = mmap((void *)hole, plan->region_size, PROT_READ | PROT_WRITE | PROT_EXEC,
			    flags | MAP_PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);

	plan->region = region == MAP_FAILED ? NULL : region;
	if (!plan->region ||
	    mmap(region + data_at, plan->region_size - data_at, PROT_READ | PROT_WRITE,
		 flags | MAP_SHARED | MAP_FIXED, -1, 0) == MAP_FAILED)
		return error_errno(err, "map %zu bytes for the restorer", plan->region_size);
	return 0;
}

int plan_create(struct plan *plan, const struct restore_options *options, struct jsnap_error *err)
{
	size_t blob_size = (size_t)(restorer_blob_end - restorer_blob);
	size_t ops_at = BLOB_OFFSET + ((blob_size + PAGE - 1) & ~(PAGE - 1));
	uint64_t hole = 0;
	struct statvfs fs;
	struct stat st;
	int r;

	*plan = (struct plan){.options = options, .m = options->manifest};
	plan->max_ops = count_ops(plan->m, options->working_set);
	r = maps_read(getpid(), false, &plan->self, err);
	if (r < 0)
		return r;
	plan->data_used = ops_at + plan->max_ops * sizeof(struct rst_op);
	plan->region_size = (plan->data_used + count_data(plan->m) + PAGE) & ~(PAGE - 1);
	plan->data_end = plan->region_size;
	r = fault_fail(FAULT_REGION, ENOMEM, err);
	if (r == 0)
		r = find_hole(plan, plan->region_size, &hole, err);
	if (r < 0)
		return r;
	r = map_region(plan, hole, ops_at, err);
	if (r < 0)
		return r;
	if (fstat(options->stream_fd, &st) < 0)
		return error_errno(err, "stat the page stream");
	plan->stream_noexec = fstatvfs(options->stream_fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC);
	memcpy(plan->region + BLOB_OFFSET, restorer_blob, blob_size);
	plan->head = (struct rst_plan *)plan->region;
	plan->head->mark = (struct region_mark){.magic = REGION_MAGIC,
						.self = hole,
						.stream_inode = st.st_ino,
						.size = plan->region_size};
	plan->ops = (struct rst_op *)(plan->region + ops_at);
	return 0;
}

void plan_free(struct plan *plan)
{
	if (plan->region)
		munmap(plan->region, plan->region_size);
	maps_free(&plan->self);
	free(plan->backing_fds);
	free(plan->object_fds);
	free(plan->backing_ro_fds);
	free(plan->object_ro_fds);
	free(plan->reader);
	free(plan->own_vma);
	plan->region = NULL;
	plan->backing_fds = plan->object_fds = NULL;
	plan->backing_ro_fds = plan->object_ro_fds = NULL;
	plan->reader = NULL;
	plan->own_vma = NULL;
}

void *plan_alloc(struct plan *plan, size_t size, size_t align)
{
	size_t at = (plan->data_used + align - 1) & ~(align - 1);

	if (at + size > plan->data_end - LEADER_STACK)
		return NULL;
	plan->data_used = at + size;
	return plan->region + at;
}

void *plan_put(struct plan *plan, const void *data, size_t size)
{
	void *copy = plan_alloc(plan, size, 16);

	if (copy)
		memcpy(copy, data, size);
	return copy;
}

int plan_out_of_region(struct jsnap_error *err)
{
	return error_set(err, ENOMEM, "the restorer's region is too small");
}

void plan_op(struct plan *plan, uint32_t nr, enum rst_check check, enum plan_what what,
	     uint64_t index, const uint64_t args[6])
{
	struct rst_op *op = &plan->ops[plan->n_ops];

	/* One past the end is caught by plan_fill, and there is room for it. */
	if (plan->n_ops + 1 >= plan->max_ops)
		return;
	plan->n_ops++;
	*op = (struct rst_op){
		.nr = nr, .check = (uint16_t)check, .what = (uint16_t)what, .index = index};
	memcpy(op->args, args, sizeof(op->args));
}

struct rst_ops plan_list(const struct plan *plan, size_t first)
{
	return (struct rst_ops){.first = plan->ops + first, .count = plan->n_ops - first};
}

int plan_fill(struct plan *plan, struct jsnap_error *err)
{
	size_t first = plan->n_ops;
	int r = plan_choose_readers(plan, err);

	if (r == 0)
		r = plan_fill_memory(plan, err);
	if (r == 0)
		r = plan_fill_layout(plan, err);
	plan->head->map = plan_list(plan, first);
	if (r == 0)
		r = plan_fill_doors(plan, err);
	if (r == 0)
		r = plan_fill_threads(plan, err);
	if (r == 0)
		r = plan_fill_process(plan, err);
	if (r == 0)
		plan_fill_release(plan);
	if (r == 0 && plan->n_ops + 1 >= plan->max_ops)
		r = error_set(err, E2BIG, "the restorer's plan has more than %zu steps",
			      plan->max_ops);
	plan->head->status_fd = plan->status_fd;
	plan->head->first_engine_fd = plan->first_engine_fd;
	return r;
}

static void explain_mapping(const struct plan *plan, const struct rst_report *report,
			    const char *verb, struct jsnap_error *err)
{
	const struct m_vma *vma = &plan->m->vmas[report->index];

	error_set(err, report->error, "%s %llx-%llx (%s): %s", verb, (unsigned long long)vma->start,
		  (unsigned long long)vma->end, manifest_str(plan->m, vma->name),
		  strerror(report->error));
}

int plan_explain(const struct plan *plan, const struct rst_report *report, struct jsnap_error *err)
{
	const char *why = strerror(report->error);
	int code = report->error > 0 ? report->error : EIO;

	if (report->thread && code == EEXIST && !plan->userns)
		return tids_taken(report->thread, err);
	if (report->thread && code == EAGAIN) {
		error_set(err, code, "TID %d: no thread more is allowed", report->thread);
		return error_hint(err,
				  "raise the limit: ulimit -u, or pids.max of the control group");
	}
	if (report->thread)
		return error_set(err, code == EEXIST ? EBUSY : code, "TID %d: %s", report->thread,
				 code == EEXIST ? "taken by another thread" : why);
	if ((report->what == PLAN_MAP || report->what == PLAN_READ) &&
	    report->index < plan->m->n_vmas) {
		explain_mapping(plan, report, report->what == PLAN_MAP ? "map" : "fill", err);
		return -code;
	}
	switch (report->what) {
	case PLAN_VDSO:
		return error_set(err, code, "move the vDSO: %s", why);
	case PLAN_LAYOUT:
		return error_set(err, code, "set the memory layout (PR_SET_MM): %s", why);
	case PLAN_GUARD:
		return error_set(err, code,
				 "install the guard pages at %llx (MADV_GUARD_INSTALL): %s",
				 (unsigned long long)plan->m->guards[report->index].start, why);
	case PLAN_SEAL:
		return error_set(err, code, "seal the memory file %s: %s",
				 manifest_str(plan->m, plan->m->objects[report->index].name), why);
	case PLAN_SIGNAL:
		return error_set(err, code, "restore signal %llu: %s",
				 (unsigned long long)report->index, why);
	case PLAN_THREAD:
		return error_set(err, code, "restore thread %llu (system call %llu): %s",
				 (unsigned long long)report->index, (unsigned long long)report->nr,
				 why);
	case PLAN_TIMER:
		return error_set(err, code, "restore timer %llu: %s",
				 (unsigned long long)report->index, why);
	case PLAN_LOCK:
		return error_set(err, code, "take the file lock of fd %u again: %s",
				 plan->m->fds[plan->m->locks[report->index].fd].fd, why);
	case PLAN_OWNER:
		return error_set(err, code, "restore who gets the signals of fd %u: %s",
				 plan->m->fds[report->index].fd, why);
	default:
		return error_set(err, code, "system call %llu of the restorer: %s",
				 (unsigned long long)report->nr, why);
	}
}

void plan_enter(const struct plan *plan)
{
	char *stack = plan->region + plan->data_end - 64;

	__asm__ volatile("mov %0, %%rsp\n"
			 "xor %%ebp, %%ebp\n"
			 "call *%1\n"
			 "hlt\n"
			 :
			 : "r"(stack), "r"(plan->region + BLOB_OFFSET), "D"(plan->head)
			 : "memory");
	__builtin_unreachable();
}
