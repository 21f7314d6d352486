/* One record for each mapping: what it is and what backs it. The pages come in a later phase. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/privilege.h"
#include "base/region.h"
#include "proc/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CONTENT_MAX (1 << 20) /* bytes of a shared file whose contents are kept */

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int refuse_vma(const struct maps_entry *entry, struct jsnap_error *err, const char *why)
{
	return error_set(err, ENOTSUP, "the mapping %lx-%lx (%s) %s", (unsigned long)entry->start,
			 (unsigned long)entry->end, entry->name[0] ? entry->name : "anonymous",
			 why);
}

static int check_carried(const struct maps_entry *entry, struct jsnap_error *err)
{
	if (starts_with(entry->name, "[v"))
		return 0; /* the vDSO and its data are special mappings that every process has */
	if (starts_with(entry->name, "/SYSV"))
		return refuse_vma(entry, err, "is System V shared memory, which is not carried");
	if (starts_with(entry->name, "anon_inode:[io_uring]"))
		return refuse_vma(entry, err, "is an io_uring ring, which is not carried");
	if (starts_with(entry->name, "anon_inode:"))
		return refuse_vma(entry, err, "belongs to a kernel object that is not carried");
	if (entry->vmflags & MAPS_VM_HUGETLB)
		return refuse_vma(entry, err, "uses hugetlb pages, which are not carried");
	if (entry->vmflags & (MAPS_VM_IO | MAPS_VM_PFNMAP))
		return refuse_vma(entry, err, "is device memory, which is not carried");
	if (entry->vmflags & MAPS_VM_UFFD)
		return refuse_vma(entry, err, "is watched by userfaultfd, which is not carried");
	if (entry->vmflags & MAPS_VM_SHADOW_STACK)
		return refuse_vma(entry, err, "is a shadow stack, which is not carried");
	if (entry->vmflags & MAPS_VM_PKEY)
		return refuse_vma(entry, err, "has a protection key (pkeys), which is not carried");
	if (starts_with(entry->name, "/[aio]"))
		return refuse_vma(entry, err,
				  "is a ring of asynchronous I/O (io_setup), which is "
				  "not carried");
	if (starts_with(entry->name, "/secretmem"))
		return refuse_vma(entry, err, "is secret memory, which nobody else can read");
	if (starts_with(entry->name, "socket:"))
		return refuse_vma(entry, err, "is a socket's ring, which is not carried");
	if (entry->vmflags & MAPS_VM_SEALED)
		return refuse_vma(entry, err, "is sealed (mseal), which is not carried");
	return 0;
}

static bool is_restorer(struct capture *c, const struct maps_entry *entry,
			struct region_mark *ret_mark)
{
	struct region_mark mark;

	if (entry->inode || entry->name[0] == '[' || !(entry->prot & PROT_EXEC) || entry->shared)
		return false;
	if (tracee_read(&c->tracee, remote_at(entry->start), &mark, sizeof(mark), NULL) < 0)
		return false;
	*ret_mark = mark;
	return mark.magic == REGION_MAGIC && mark.self == entry->start;
}

static bool is_memory_file(const struct maps_entry *entry)
{
	return starts_with(entry->name, "/memfd:") || starts_with(entry->name, "/dev/zero");
}

/* The named file is still the mapped one. File systems that stack others may show another device
 * number in maps than in stat, so only the inode decides. */
static bool still_there(const struct maps_entry *entry, struct stat *ret_st)
{
	return !entry->deleted && stat(entry->name, ret_st) == 0 && ret_st->st_ino == entry->inode;
}

/* Takes CAP_CHECKPOINT_RESTORE; without it the contents come through the mapping itself. */
static int open_map_file(const char *path)
{
	int capability = privilege_tid_capability();
	bool raise = capability >= 0 && geteuid() != 0;
	int fd;

	if (raise)
		privilege_raise(capability, true);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (raise)
		privilege_raise(capability, false);
	return fd;
}

static int capture_object_vma(struct capture *c, const struct maps_entry *entry, struct m_vma *vma,
			      struct jsnap_error *err)
{
	enum m_object_kind kind = M_OBJECT_DELETED_FILE;
	CLEANUP_CLOSE int fd = -1;
	char path[96];

	if (starts_with(entry->name, "/memfd:"))
		kind = M_OBJECT_MEMFD;
	else if (starts_with(entry->name, "/dev/zero"))
		kind = M_OBJECT_SHARED_ANON;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", c->options->pid,
		 (unsigned long)entry->start, (unsigned long)entry->end);
	fd = open_map_file(path);
	vma->kind = M_VMA_OBJECT;
	return capture_object(c, entry->dev, entry->inode, kind, entry->name,
			      (struct object_source){fd, M_READ_THROUGH_MAP_FILES}, &vma->backing,
			      err);
}

/* A small file that is shared memory in all but name (a JVM's performance data) may be removed with
 * the process that wrote it: its contents let a restore make it again. */
static int keep_content(struct capture *c, const struct maps_entry *entry, uint32_t backing,
			struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open(entry->name, O_RDONLY | O_CLOEXEC);
	uint32_t object;
	int r;

	if (fd < 0 && errno == EACCES)
		return 0; /* it may be that to the program's user alone: then it has to stay */
	if (fd < 0)
		return error_errno(err, "open %s", entry->name);
	r = capture_object(c, entry->dev, entry->inode, M_OBJECT_DELETED_FILE, entry->name,
			   (struct object_source){fd, M_READ_THROUGH_NAME}, &object, err);
	if (r == 0)
		c->m->backings[backing].content_object = object;
	return r;
}

/* Memory that others change all the time: which files may be others by then is the caller's word.
 */
static bool may_be_another(struct capture *c, const struct maps_entry *entry)
{
	const struct checkpoint_fd fd = {.fd = -1, .kind = CHECKPOINT_FD_FILE, .name = entry->name};

	return entry->shared && capture_decide(c, &fd) == CHECKPOINT_REOPEN;
}

static int capture_file_vma(struct capture *c, const struct maps_entry *entry, struct m_vma *vma,
			    struct jsnap_error *err)
{
	uint32_t use = M_BACKING_MAPPED;
	struct stat st;
	int r;

	if (is_memory_file(entry) || !still_there(entry, &st))
		return capture_object_vma(c, entry, vma, err);
	if ((S_ISCHR(st.st_mode) && strcmp(entry->name, "/dev/zero") != 0) || S_ISBLK(st.st_mode))
		return refuse_vma(entry, err, "maps a device, which is not carried");
	if (entry->shared && (entry->vmflags & MAPS_VM_MAYWRITE))
		use |= M_BACKING_MAPPED_WRITABLE;
	if (may_be_another(c, entry))
		use |= M_BACKING_REOPEN;
	vma->kind = entry->shared ? M_VMA_FILE_SHARED : M_VMA_FILE_PRIVATE;
	r = capture_backing(c, entry->name, &st, use, &vma->backing, err);
	if (r == 0 && (use & M_BACKING_MAPPED_WRITABLE) && st.st_size <= CONTENT_MAX)
		r = keep_content(c, entry, vma->backing, err);
	if (r == 0 && (entry->prot & PROT_EXEC))
		r = capture_program_file(c, entry->name, vma->backing, err);
	return r;
}

static uint32_t map_flags(const struct maps_entry *entry)
{
	uint32_t flags = entry->shared ? MAP_SHARED : MAP_PRIVATE;

	if (entry->vmflags & MAPS_VM_DROPPABLE)
		return MAPS_DROPPABLE;
	if (entry->vmflags & MAPS_VM_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (entry->vmflags & MAPS_VM_NORESERVE)
		flags |= MAP_NORESERVE;
	return flags;
}

/* Locked memory is there as a whole, unless only what is touched is locked (MLOCK_ONFAULT): not
 * every kernel shows that by a flag. */
static uint32_t marks(const struct maps_entry *entry)
{
	bool whole = entry->resident == entry->end - entry->start;

	return entry->vmflags |
	       ((entry->vmflags & MAPS_VM_LOCKED) && !whole ? MAPS_VM_LOCKONFAULT : 0);
}

static int capture_vdso(struct capture *c, const struct maps_entry *entry, struct jsnap_error *err)
{
	size_t size = entry->end - entry->start;
	CLEANUP_FREE void *bytes = malloc(size);
	int r;

	if (!bytes)
		return error_set(err, ENOMEM, "out of memory");
	r = tracee_read(&c->tracee, remote_at(entry->start), bytes, size, err);
	if (r == 0)
		r = manifest_blob(c->m, bytes, size, &c->m->process->vdso);
	return r;
}

/* Mappings of an earlier restore's stream are anonymous memory that happens to be shared with it.
 */
bool capture_from_stream(const struct capture *c, const struct maps_entry *entry)
{
	return c->stream_inode && entry->inode == c->stream_inode && !entry->shared;
}

/* The kernel names memory below the break as long as it is anonymous. */
static bool is_unnamed(const char *name)
{
	return name[0] == '\0' || strcmp(name, "[heap]") == 0;
}

/* An earlier restore laid pieces of its stream over one mapping: make it one again. */
static bool extends_last(const struct capture *c, const struct maps_entry *entry)
{
	const struct m_vma *last = c->m->n_vmas ? &c->m->vmas[c->m->n_vmas - 1] : NULL;

	return last && c->stream_inode && last->kind == M_VMA_ANON && last->end == entry->start &&
	       !entry->shared && last->prot == (uint32_t)entry->prot &&
	       ((last->vmflags ^ entry->vmflags) & ~MAPS_VM_KERNELS) == 0 &&
	       (capture_from_stream(c, entry) || (!entry->inode && is_unnamed(entry->name))) &&
	       is_unnamed(manifest_str(c->m, last->name));
}

/* A private mapping of /dev/zero is anonymous memory by another name (drivers/char/mem.c). */
static bool is_anonymous(const struct capture *c, const struct maps_entry *entry)
{
	return capture_from_stream(c, entry) ||
	       (!entry->shared && !entry->deleted && strcmp(entry->name, "/dev/zero") == 0);
}

static int capture_vma(struct capture *c, size_t i, struct jsnap_error *err)
{
	const struct maps_entry *entry = &c->maps.entries[i];
	struct m_vma *vma;
	int r = check_carried(entry, err);

	if (r < 0)
		return r;
	vma = MANIFEST_ADD(c->m, vmas);
	if (!vma)
		return error_set(err, ENOMEM, "too many mappings");
	vma->start = entry->start;
	vma->end = entry->end;
	vma->offset = entry->offset;
	vma->prot = (uint32_t)entry->prot;
	vma->map_flags = map_flags(entry);
	vma->vmflags = marks(entry);
	vma->backing = MANIFEST_NONE;
	vma->kind = M_VMA_ANON;
	r = manifest_string(c->m, is_anonymous(c, entry) ? "" : entry->name, &vma->name);
	if (r < 0)
		return error_set(err, -r, "out of memory");
	if (strcmp(entry->name, "[vdso]") == 0) {
		vma->kind = M_VMA_VDSO;
		return capture_vdso(c, entry, err);
	}
	if (starts_with(entry->name, "[vvar")) {
		vma->kind = M_VMA_VVAR;
		return 0;
	}
	if ((entry->inode || entry->shared) && !is_anonymous(c, entry))
		return capture_file_vma(c, entry, vma, err);
	vma->offset = 0;
	return 0;
}

static bool is_kernels(const struct maps_entry *entry)
{
	return strcmp(entry->name, "[vsyscall]") == 0 || strcmp(entry->name, "[uprobes]") == 0;
}

void capture_find_region(struct capture *c)
{
	for (size_t i = 0; i < c->maps.count; i++) {
		struct region_mark mark;

		if (is_restorer(c, &c->maps.entries[i], &mark)) {
			c->region = mark.self;
			c->region_end = mark.self + mark.size;
			c->stream_inode = mark.stream_inode;
			memcpy(c->namespaces, mark.namespaces, sizeof(c->namespaces));
		}
	}
}

/* Said now, for a restore would come to the limit, wherever it is the same. */
static int check_count(const struct capture *c, struct jsnap_error *err)
{
	uint64_t max = machine_max_mappings(fault_system_root());

	if (c->m->n_vmas + REGION_MAPPINGS <= max)
		return 0;
	error_set(err, ENOTSUP,
		  "it has %u mappings, and to restore it would take %u more than are allowed "
		  "(sysctl vm.max_map_count is %llu)",
		  c->m->n_vmas, (unsigned)(c->m->n_vmas + REGION_MAPPINGS - max),
		  (unsigned long long)max);
	return error_hint(err, "raise it: sysctl -w vm.max_map_count=NUMBER");
}

int capture_vmas(struct capture *c, struct jsnap_error *err)
{
	int r = capture_find_stacks(c, err);

	for (size_t i = 0; r == 0 && i < c->maps.count; i++) {
		const struct maps_entry *entry = &c->maps.entries[i];

		if (is_kernels(entry) || (entry->start >= c->region && entry->end <= c->region_end))
			continue;
		if (extends_last(c, entry))
			c->m->vmas[c->m->n_vmas - 1].end = entry->end;
		else
			r = capture_vma(c, i, err);
	}
	if (r == 0)
		r = check_count(c, err);
	if (r == 0)
		r = capture_guards(c, err);
	if (r == 0)
		r = capture_dead_stacks(c, err);
	if (r == 0)
		capture_apply_anon_rule(c);
	return r;
}
