/* Everything that can be known to make a restore fail, before anything is touched. */
#include "restore/restore.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/fault.h"
#include "image/file_identity.h"
#include "proc/maps.h"
#include "restore/host.h"
#include "restore/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <unistd.h>

#define XCR0_V2 0x3u /* x87 and SSE */
#define XCR0_V3 0x7u /* and AVX */

static int changed(struct jsnap_error *err, const char *path, const char *how)
{
	return error_set(err, ESTALE, "%s %s since the snapshot was taken; take a new one", path,
			 how);
}

static bool kernel_file(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0;
}

/* Files whose every use is one that lets them change: logs that are written at their end. */
static bool may_change(const struct manifest *m, uint32_t index)
{
	const struct m_backing *backing = &m->backings[index];

	if (backing->uses & (M_BACKING_REOPEN | M_BACKING_KEEP))
		return true;
	if (backing->uses & M_BACKING_MAPPED)
		return (backing->uses & M_BACKING_MAPPED_WRITABLE) &&
		       backing->content_object != MANIFEST_NONE;
	for (uint32_t i = 0; i < m->n_files; i++) {
		const struct m_file *file = &m->files[i];

		if (file->kind == M_FILE_PATH && file->target == index &&
		    !manifest_file_is_log(m, file))
			return false;
	}
	return true;
}

/* One that the program writes can be made again when nothing depends on what it held. */
static bool opened_anew(const struct manifest *m, const struct m_file *file)
{
	return (m->backings[file->target].uses & M_BACKING_REOPEN) &&
	       (file->flags & O_ACCMODE) != O_RDONLY;
}

static bool may_be_missing(const struct manifest *m, uint32_t index)
{
	if (m->backings[index].content_object != MANIFEST_NONE)
		return true;
	for (uint32_t i = 0; i < m->n_files; i++)
		if (m->files[i].kind == M_FILE_PATH && m->files[i].target == index &&
		    !manifest_file_is_log(m, &m->files[i]) && !opened_anew(m, &m->files[i]))
			return false;
	return !(m->backings[index].uses & M_BACKING_MAPPED);
}

/* Layers and archives cut times to whole seconds. */
static bool untouched(const struct m_backing *backing, const struct stat *st)
{
	const int64_t second = 1000000000;
	int64_t then = backing->mtime_ns;

	if (st->st_mtim.tv_nsec == 0 || then % second == 0)
		return st->st_mtim.tv_sec == then / second;
	return file_time_ns(st->st_mtim) == then;
}

/* Archives that are to be the same whoever makes them give all files one time: the epoch, or the
 * first day that a ZIP file knows. */
static bool time_tells_nothing(const struct stat *st)
{
	return st->st_mtim.tv_sec < 315619200; /* 1980-01-02 */
}

static int check_build_id(const struct manifest *m, const struct m_backing *backing,
			  const char *path, int fd, struct jsnap_error *err)
{
	char then[2 * FILE_BUILD_ID_MAX + 1], now[2 * FILE_BUILD_ID_MAX + 1] = "none";
	const void *bytes = manifest_bytes(m, backing->build_id);
	struct file_build_id id;
	int r = file_build_id(fd, &id, err);

	if (r < 0)
		return error_context(err, "%s", path);
	if (id.size == backing->build_id.size && memcmp(id.bytes, bytes, id.size) == 0)
		return 0;
	file_build_id_text(bytes, backing->build_id.size, then, sizeof(then));
	if (id.size)
		file_build_id_text(id.bytes, id.size, now, sizeof(now));
	return error_set(err, ESTALE,
			 "%s is another build (build id %s) than the snapshot's (%s); take a new "
			 "one",
			 path, now, then);
}

/*
 * A program file is known by its build id, however often it is copied or its time is set; without
 * one by the digest of its bytes, which are read only when the time differs or tells nothing. Any
 * other file by its time, or by the caller's word.
 */
static int check_content(const struct restore_options *options, const struct m_backing *backing,
			 const struct stat *st, struct jsnap_error *err)
{
	const struct manifest *m = options->manifest;
	const char *path = manifest_str(m, backing->path);
	CLEANUP_CLOSE int fd = -1;
	uint64_t digest;
	int r;

	if (!backing->build_id.size && untouched(backing, st) &&
	    !(backing->digest && time_tells_nothing(st)))
		return 0;
	if (!backing->build_id.size && !backing->digest) {
		if (options->vouch && options->vouch(m, path))
			return 0;
		return changed(err, path, "has another time of its last change");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	if (backing->build_id.size)
		return check_build_id(m, backing, path, fd, err);
	r = file_digest(fd, &digest, err);
	if (r < 0)
		return error_context(err, "%s", path);
	return digest == backing->digest ? 0 : changed(err, path, "has other content");
}

static int check_backing(const struct restore_options *options, uint32_t index,
			 struct jsnap_error *err)
{
	const struct manifest *m = options->manifest;
	const struct m_backing *backing = &m->backings[index];
	const char *path = manifest_str(m, backing->path);
	struct stat st;

	if (kernel_file(path) || !(backing->uses & (M_BACKING_MAPPED | M_BACKING_OPEN)))
		return 0;
	if ((S_ISLNK(backing->mode) ? lstat : stat)(path, &st) < 0) {
		if (errno == ENOENT && S_ISREG(backing->mode) && may_be_missing(m, index)) {
			if (options->say && backing->content_object != MANIFEST_NONE)
				options->say("%s is gone, and is made again as it was", path);
			return 0;
		}
		return error_errno(err, "%s, which the snapshot needs", path);
	}
	if ((st.st_mode & S_IFMT) != (backing->mode & S_IFMT))
		return changed(err, path, "became another kind of file");
	if (!S_ISREG(st.st_mode))
		return 0;
	if (may_change(m, index)) {
		/* Pages of a mapping beyond the end of a file that shrank would be fatal to touch.
		 */
		if ((backing->uses & M_BACKING_MAPPED) &&
		    (backing->uses & M_BACKING_REOPEN ? (uint64_t)st.st_size < backing->size
						      : (uint64_t)st.st_size != backing->size))
			return changed(err, path, "has another size");
		return 0;
	}
	if ((uint64_t)st.st_size != backing->size)
		return changed(err, path, "has another size");
	return check_content(options, backing, &st, err);
}

static int check_watch(const struct manifest *m, uint32_t index, struct jsnap_error *err)
{
	const char *path = manifest_str(m, m->inotify_watches[index].path);
	struct stat st;

	if (lstat(path, &st) < 0) {
		error_errno(err, "%s, which the program watches (inotify)", path);
		return error_hint(err, "make it again, or take a new snapshot");
	}
	return 0;
}

static const struct m_vma *find_vdso(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->n_vmas; i++)
		if (m->vmas[i].kind == M_VMA_VDSO)
			return &m->vmas[i];
	return NULL;
}

/* This process's own, which stay what they are; no vdso: not known. */
struct own_special {
	const void *vdso;
	uint64_t vdso_size, vvar_size;
};

static const struct own_special *own_special(void)
{
	static struct own_special own;
	CLEANUP_MAPS struct maps self = {0};

	if (own.vdso || maps_read(getpid(), false, &self, NULL) < 0)
		return &own;
	for (size_t i = 0; i < self.count; i++) {
		const struct maps_entry *entry = &self.entries[i];

		if (strncmp(entry->name, "[vvar", 5) == 0)
			own.vvar_size += entry->end - entry->start;
		if (strcmp(entry->name, "[vdso]") == 0) {
			own.vdso = (const void *)entry->start;
			own.vdso_size = entry->end - entry->start;
		}
	}
	return &own;
}

static bool same_vdso(const struct manifest *m)
{
	const struct own_special *own = own_special();
	uint64_t theirs = 0;

	/* The same code reads its data at the same distance; the count of pages proves it. */
	for (uint32_t i = 0; i < m->n_vmas; i++)
		if (m->vmas[i].kind == M_VMA_VVAR)
			theirs += m->vmas[i].end - m->vmas[i].start;
	return own->vdso && own->vvar_size == theirs && own->vdso_size == m->process->vdso.size &&
	       memcmp(own->vdso, manifest_bytes(m, m->process->vdso), own->vdso_size) == 0;
}

bool restore_other_vdso(const struct manifest *m)
{
	return find_vdso(m) && (fault_on(FAULT_OTHER_VDSO) || !same_vdso(m));
}

/* Another kernel's is adapted to (vdso.h); a thread in the middle of it can't be. */
static int check_vdso(const struct manifest *m, struct jsnap_error *err)
{
	const struct m_vma *vma = find_vdso(m);

	if (!restore_other_vdso(m))
		return 0;
	for (uint32_t i = 0; i < m->n_threads; i++) {
		const struct user_regs_struct *regs = (const void *)m->threads[i].regs;

		if (regs->rip >= vma->start && regs->rip < vma->end)
			return error_set(err, ESTALE,
					 "thread %u (%.16s) was reading a clock of the snapshot's "
					 "kernel, which this kernel can't go on with; take a new "
					 "snapshot here",
					 m->threads[i].tid, m->threads[i].comm);
	}
	return 0;
}

static int check_droppable(const struct manifest *m, struct jsnap_error *err)
{
	void *probe;

	for (uint32_t i = 0; i < m->n_vmas; i++) {
		if (!(m->vmas[i].vmflags & MAPS_VM_DROPPABLE))
			continue;
		probe = mmap(NULL, m->process->page_size, PROT_NONE, MAPS_DROPPABLE | MAP_ANONYMOUS,
			     -1, 0);
		if (probe != MAP_FAILED) {
			munmap(probe, m->process->page_size);
			return 0;
		}
		return error_set(err, ENOTSUP,
				 "the program has droppable memory (MAP_DROPPABLE), which this "
				 "kernel has not: Linux 6.11 or newer is needed");
	}
	return 0;
}

/* "popcnt": without that feature; "x86-64-v2": with those of that level alone. */
static void play_other_cpu(struct cpu *cpu, const char *what)
{
	struct cpu level;

	if (strncmp(what, "x86-64-v", 8) != 0) {
		cpu_remove(cpu, what);
		return;
	}
	cpu_level((unsigned)atoi(what + 8), cpu, &level);
	memcpy(cpu->words, level.words, sizeof(cpu->words));
	cpu->xcr0 &= atoi(what + 8) >= 3 ? XCR0_V3 : XCR0_V2;
}

static int check_host(const struct restore_options *options, struct jsnap_error *err)
{
	const struct manifest *m = options->manifest;
	struct cpu cpu;
	int r;

	/* Every checkpoint says what its process needs; without that nothing could be compared. */
	if (!m->n_host)
		return error_set(err, EBADMSG,
				 "the image does not say what machine its process needs");
	cpu_here(&cpu);
	if (fault_value(FAULT_OTHER_CPU))
		play_other_cpu(&cpu, fault_value(FAULT_OTHER_CPU));
	if (fault_value(FAULT_OTHER_XSAVE))
		cpu.xsave_at[atoi(fault_value(FAULT_OTHER_XSAVE)) % (int)CPU_COMPONENTS] += 64;
	r = host_check_cpu(m, &cpu, err);
	return r < 0 ? r : host_check_machine(m, options->machine, err);
}

/* A process goes on as who it was, and for nobody else: root restoring a user's snapshot would give
 * that program root. */
static int check_owner(const struct manifest *m, struct jsnap_error *err)
{
	if (m->process->euid == geteuid())
		return 0;
	return error_set(err, EPERM, "the snapshot is of a process of user %u, and this is user %u",
			 m->process->euid, geteuid());
}

/* A port that is to be opened elsewhere has to be one. */
static int check_listen(const struct restore_options *options, struct jsnap_error *err)
{
	const struct manifest *m = options->manifest;

	for (size_t i = 0; i < options->n_listen_map; i++) {
		char ports[64] = "";
		bool found = false;

		for (uint32_t k = 0; k < m->n_sockets && !found; k++) {
			unsigned port = manifest_port(m, m->sockets[k].local);
			size_t used = strlen(ports);

			if (m->sockets[k].state != M_SOCKET_LISTEN || !port)
				continue;
			found = port == options->listen_map[i][0];
			snprintf(ports + used, sizeof(ports) - used, "%s%u", used ? ", " : "",
				 port);
		}
		if (!found)
			return error_set(
				err, EINVAL,
				"--listen: the snapshot does not listen on port %u but on: %s",
				options->listen_map[i][0], *ports ? ports : "none");
	}
	return 0;
}

int restore_validate(const struct restore_options *options, struct jsnap_error *err)
{
	const struct manifest *m = options->manifest;
	int r = check_owner(m, err);

	if (r == 0)
		r = check_vdso(m, err);
	if (r == 0)
		r = check_host(options, err);
	if (r == 0)
		r = check_droppable(m, err);
	for (uint32_t i = 0; r == 0 && i < m->n_backings; i++)
		r = check_backing(options, i, err);
	for (uint32_t i = 0; r == 0 && i < m->n_inotify_watches; i++)
		r = check_watch(m, i, err);
	if (r == 0)
		r = check_listen(options, err);
	return r;
}
