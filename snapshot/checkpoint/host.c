/* The machine that the process ran on, as far as it depends on it. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "image/file_identity.h"
#include "proc/cpu.h"
#include "proc/machine.h"

#include <fcntl.h>
#include <string.h>

/* Of the process's own control groups, which need not be jsnap's. */
static uint64_t memory_limit(pid_t pid)
{
	CLEANUP_FREE char *cgroup = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (read_file(path, 65536, &cgroup, NULL) < 0)
		return UINT64_MAX;
	return machine_memory_limit(fault_system_root(), cgroup);
}

int capture_host(struct capture *c, struct jsnap_error *err)
{
	struct m_host *host = MANIFEST_ADD(c->m, host);
	unsigned level = c->options->cpu_level;
	struct cpu here, may_use;
	char name[49];
	int r;

	if (!host)
		return error_set(err, ENOMEM, "out of memory");
	cpu_here(&here);
	may_use = here;
	if (level)
		cpu_level(level, &here, &may_use);
	cpu_keep_known(&may_use);
	cpu_name(name);
	r = manifest_string(c->m, name, &host->cpu_name);
	if (r < 0)
		return error_set(err, -r, "out of memory");
	memcpy(host->cpu_words, may_use.words, sizeof(host->cpu_words));
	memcpy(host->xsave_at, here.xsave_at, sizeof(host->xsave_at));
	memcpy(host->xsave_size, here.xsave_size, sizeof(host->xsave_size));
	host->xcr0 = here.xcr0;
	host->cpu_level = level;
	host->memory_limit = memory_limit(c->options->pid);
	host->cap_permitted = c->status.cap_permitted;
	return 0;
}

int capture_program_file(struct capture *c, const char *path, uint32_t index,
			 struct jsnap_error *err)
{
	struct m_backing *backing = &c->m->backings[index];
	CLEANUP_CLOSE int fd = -1;
	struct file_build_id id;
	int r;

	if (backing->build_id.size || backing->digest)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	r = file_build_id(fd, &id, err);
	if (r == 0 && id.size) {
		r = manifest_blob(c->m, id.bytes, id.size, &backing->build_id);
		return r < 0 ? error_set(err, -r, "out of memory") : 0;
	}
	if (r == 0)
		r = file_digest(fd, &backing->digest, err);
	return r < 0 ? error_context(err, "%s", path) : 0;
}
