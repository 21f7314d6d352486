/* See twin.h. */
#include "checkpoint/twin.h"

#include "base/cleanup.h"
#include "proc/pagemap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* What fork(2) does not hand on, or hands on otherwise (kernel/fork.c, dup_mmap). */
#define NOT_COPIED                                                                                 \
	(MAPS_VM_DONTFORK | MAPS_VM_WIPEONFORK | MAPS_VM_LOCKED | MAPS_VM_UFFD | MAPS_VM_HUGETLB | \
	 MAPS_VM_SHADOW_STACK)

static bool own_child(pid_t pid)
{
	struct proc_status status;

	return proc_status_read(pid, 0, &status, NULL) == 0 && status.ppid == getpid();
}

/* Of droppable memory nothing is stored. */
static bool copied_whole(const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		if ((maps->entries[i].vmflags & NOT_COPIED) &&
		    !(maps->entries[i].vmflags & MAPS_VM_DROPPABLE))
			return false;
	return true;
}

bool twin_possible(pid_t pid, const struct maps *maps)
{
	return maps->count && own_child(pid) && copied_whole(maps);
}

/* A file may lose or change its name meanwhile: it is the same by its inode. */
static bool same_mapping(const struct maps_entry *a, const struct maps_entry *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->inode == b->inode && a->dev == b->dev && a->prot == b->prot &&
	       a->shared == b->shared && (a->inode || strcmp(a->name, b->name) == 0);
}

static bool same_mappings(const struct maps *a, const struct maps *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_mapping(&a->entries[i], &b->entries[i]))
			return false;
	return true;
}

static int read_certain(struct capture *c, struct jsnap_error *err)
{
	maps_free(&c->maps);
	c->maps_certain = true;
	return maps_read(c->options->pid, true, &c->maps, err);
}

int twin_read_maps(struct capture *c, struct jsnap_error *err)
{
	int r;

	if (!c->expected)
		return read_certain(c, err);
	r = maps_read(c->options->pid, false, &c->maps, err);
	if (r < 0)
		return r;
	if (!same_mappings(&c->expected->maps, &c->maps))
		return read_certain(c, err);
	for (size_t i = 0; i < c->maps.count; i++)
		c->maps.entries[i].vmflags = c->expected->maps.entries[i].vmflags;
	c->maps_certain = false;
	return 0;
}

/* From here on it dies with this thread; and the leader's stack in it is as the target has it. */
static int adopt(struct capture *c, struct jsnap_error *err)
{
	const struct tracee_thread *leader = c->leader.thread;
	char path[64];
	int status, r = tracee_wait(c->twin.pid, &status, err);

	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETOPTIONS, c->twin.pid, NULL, (void *)PTRACE_O_EXITKILL) < 0)
		return error_errno(err, "trace the twin");
	snprintf(path, sizeof(path), "/proc/%d/mem", c->twin.pid);
	c->twin.mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->twin.mem_fd < 0)
		return error_errno(err, "open %s", path);
	r = tracee_write(&c->twin, remote_at(leader->saved_at), leader->saved, leader->saved_size,
			 err);
	if (r == 0)
		c->twin_pagemap_fd = pagemap_open(c->twin.pid, err);
	return r < 0 ? r : c->twin_pagemap_fd < 0 ? c->twin_pagemap_fd : 0;
}

int twin_make(struct capture *c, struct jsnap_error *err)
{
	const uint64_t flags = CLONE_PARENT | CLONE_FILES | CLONE_FS;
	/* mlock(2) since: fork does not hand it on, so it could not be noticed later. */
	bool expected = c->expected && copied_whole(&c->maps) && !c->status.vm_locked;
	int r = expected ? remote_clone(&c->leader, flags, &c->twin.pid, NULL) : -ENOTSUP;

	if (r == 0 && adopt(c, NULL) < 0)
		twin_end(c);
	if (c->twin.pid || c->maps_certain)
		return 0;
	return read_certain(c, err);
}

/* What madvise(2) or a mapping in the same place sets, and fork(2) copies. */
#define ADVICE                                                                          \
	(MAPS_VM_NORESERVE | MAPS_VM_DONTDUMP | MAPS_VM_HUGEPAGE | MAPS_VM_NOHUGEPAGE | \
	 MAPS_VM_MERGEABLE | MAPS_VM_SEQ_READ | MAPS_VM_RAND_READ)

/* Nothing of what was read in the pause went by these marks, so that the record can be set right.
 * MAP_NORESERVE comes and goes where HotSpot gives the guard pages of a thread's stack back
 * (os::uncommit_memory) and the next thread takes them; of one mapping among several that are one
 * record it is left as it was, for it says only what counts against the machine's memory. */
static bool set_right(struct capture *c, const struct maps_entry *entry, uint32_t changed)
{
	for (size_t i = 0; i < c->m->n_vmas; i++) {
		struct m_vma *vma = &c->m->vmas[i];

		if (vma->start == entry->start && vma->end == entry->end) {
			vma->vmflags = entry->vmflags;
			if (changed & MAPS_VM_NORESERVE)
				vma->map_flags ^= MAP_NORESERVE;
			return true;
		}
	}
	return changed == MAPS_VM_NORESERVE;
}

int twin_check(struct capture *c, struct jsnap_error *err)
{
	CLEANUP_MAPS struct maps now = {0};
	int r = maps_read(c->twin.pid, true, &now, err);

	if (r < 0)
		return r;
	if (!same_mappings(&c->maps, &now))
		return error_set(
			err, EAGAIN,
			"its memory has marks that a copy of it has not (madvise(2)), made "
			"while it was being stopped; try again");
	for (size_t i = 0; i < now.count; i++) {
		const struct maps_entry *entry = &now.entries[i];
		uint32_t changed = (entry->vmflags ^ c->maps.entries[i].vmflags) & ~MAPS_VM_KERNELS;

		if (!changed || (!(changed & ~ADVICE) && set_right(c, entry, changed)))
			continue;
		return error_set(err, EAGAIN,
				 "the marks of its mapping %lx-%lx (%s) changed while it was being "
				 "stopped (madvise(2); bits %x); try again",
				 (unsigned long)entry->start, (unsigned long)entry->end,
				 entry->name[0] ? entry->name : "anonymous", changed);
	}
	return 0;
}

void twin_end(struct capture *c)
{
	if (!c->twin.pid)
		return;
	kill(c->twin.pid, SIGKILL);
	while (waitpid(c->twin.pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	cleanup_close(&c->twin.mem_fd);
	cleanup_close(&c->twin_pagemap_fd);
	c->twin = (struct tracee){.mem_fd = -1};
}
