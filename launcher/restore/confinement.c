/* See confinement.h. */
#include "launcher/restore/confinement.h"

#include "proc/status.h"

#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

static const char *shown(const char *text)
{
	return *text ? text : "none";
}

static int other(struct jsnap_error *err, const char *what, const char *then, const char *now)
{
	error_set(err, ESTALE,
		  "the snapshot was taken under the %s '%s', and jsnap runs under '%s'", what,
		  shown(then), shown(now));
	return error_hint(err, "take one here, or restore it with --lsm ignore all the same");
}

/* "cap_net_admin, cap_sys_nice" */
static void name_capabilities(uint64_t set, char *names, size_t size)
{
	size_t used = 0;

	names[0] = '\0';
	for (int i = 0; i < 64 && used < size; i++) {
		char *name;

		if (!(set >> i & 1))
			continue;
		name = cap_to_name(i);
		used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "",
					 name ? name : "?");
		cap_free(name);
	}
}

static int check_capabilities(const struct manifest *m, uint64_t here, struct jsnap_error *err)
{
	/* jsnap's own, where it came as an ambient one: no program needs it for itself. */
	uint64_t own = 1ull << CAP_CHECKPOINT_RESTORE;
	uint64_t missing = m->n_host ? m->host->cap_permitted & ~here & ~own : 0;
	char names[400];

	if (!missing)
		return 0;
	name_capabilities(missing, names, sizeof(names));
	error_set(err, ESTALE,
		  "the snapshot's process had the capabilities %s, which it would not have here",
		  names);
	return error_hint(err, "--lsm ignore restores it without them");
}

/* Filters can't be read, so they are counted: fewer are weaker for sure. */
static int check_filters(const struct manifest *m, unsigned here, struct jsnap_error *err)
{
	unsigned then = m->process->seccomp_filters;

	if (then <= here)
		return 0;
	error_set(
		err, ESTALE,
		"the snapshot's process was under %u seccomp filter%s, and would be under %u here",
		then, then == 1 ? "" : "s", here);
	return error_hint(err, "take one here, or restore it with --lsm ignore all the same");
}

static int check_arch(const struct image_header *header, const char *here, struct jsnap_error *err)
{
	if (strcmp(header->arch, here) == 0)
		return 0;
	return error_set(err, ENOTSUP,
			 "the snapshot is of another architecture (%s) than this machine (%s)",
			 header->arch, here);
}

int confinement_check_arch(const struct image_header *header, struct jsnap_error *err)
{
	char here[IMAGE_ARCH_SIZE];
	int r = image_arch_here(here, err);

	return r < 0 ? r : check_arch(header, here, err);
}

int confinement_check(const struct image_header *header, const struct manifest *m,
		      const struct confinement *here, enum lsm_policy lsm, struct jsnap_error *err)
{
	int r = check_arch(header, here->header.arch, err);

	if (r < 0)
		return r;
	if (lsm == LSM_IGNORE)
		return 0;
	if (strcmp(header->lsm_label, here->header.lsm_label) != 0)
		return other(err, "security label", header->lsm_label, here->header.lsm_label);
	if (strcmp(header->lsm, here->header.lsm) != 0)
		return other(err, "security modules", header->lsm, here->header.lsm);
	r = check_filters(m, here->seccomp_filters, err);
	return r < 0 ? r : check_capabilities(m, here->capabilities, err);
}

int confinement_check_here(const struct image_header *header, const struct manifest *m,
			   enum lsm_policy lsm, struct jsnap_error *err)
{
	struct confinement here = {0};
	struct proc_status status;
	int r = image_header_here(getpid(), &here.header, err);

	if (r == 0)
		r = proc_status_read(getpid(), 0, &status, err);
	if (r < 0)
		return r;
	here.seccomp_filters = proc_seccomp_filters(&status);
	if (geteuid() == 0)
		here.capabilities = status.cap_permitted;
	return confinement_check(header, m, &here, lsm, err);
}
