/* See probe.h: from what was found to the line that would change it. */
#include "launcher/doctor/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* packaging/container: what Docker's has, with clone3 and the few calls beside it that
 * docs/privileges.md names */
#define FILTERED "--security-opt seccomp=jsnap-seccomp.json ..."

static const char *engine(const struct place *place)
{
	return place->podman ? "podman" : "docker";
}

static void add(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + used, size - used, fmt, ap);
	va_end(ap);
}

/*
 * The runtime's line that grants the capability, and clone3 where a filter hides it. What Docker
 * and Kubernetes grant counts for uid 0 alone, for they set no ambient capabilities (podman does,
 * and systemd): another user gets it through the file capability, which no_new_privs would void.
 */
static void add_grant(const struct place *place, bool hidden, char *text, size_t size)
{
	const char *rest = hidden ? FILTERED : "...";

	if (place->podman) {
		add(text, size, "podman run --cap-add CHECKPOINT_RESTORE %s", rest);
		return;
	}
	if (!place->container && !hidden)
		add(text, size,
		    "systemd: CAP_CHECKPOINT_RESTORE in CapabilityBoundingSet= and "
		    "AmbientCapabilities=; ");
	add(text, size,
	    "docker run --cap-add CHECKPOINT_RESTORE %s; Kubernetes: "
	    "securityContext.capabilities.add: "
	    "[\"CHECKPOINT_RESTORE\"]",
	    rest);
	if (hidden)
		add(text, size,
		    " and packaging/kubernetes/checkpoint-restore.yaml's seccompProfile");
	if (place->is_root)
		return;
	add(text, size,
	    "; for another user than root without no-new-privileges (allowPrivilegeEscalation: "
	    "true)");
	if (!place->has_file_cap)
		add(text, size,
		    " and, while the image is built, setcap cap_checkpoint_restore=p %s",
		    place->executable);
}

/* Nothing but the capability is missing: how to get it here. */
static void advise_capability(const struct place *place, char *text, size_t size)
{
	if (place->holds_cap)
		snprintf(text, size,
			 "the capability is held and does not count here: it is that of a user "
			 "namespace, for a PID namespace from outside (unshare with --pid --fork "
			 "too), or a security module refuses it (packaging/selinux, "
			 "packaging/apparmor)");
	else if (!place->may_hold_cap)
		add_grant(place, false, text, size);
	else if (place->has_file_cap && place->is_nosuid)
		snprintf(
			text, size,
			"install jsnap elsewhere: %s is on a file system mounted nosuid, where its "
			"capability is ignored",
			place->executable);
	else if (place->no_new_privs)
		snprintf(text, size,
			 "start jsnap without no_new_privs (systemd: NoNewPrivileges=no; "
			 "Kubernetes: allowPrivilegeEscalation: true), or with systemd's "
			 "AmbientCapabilities=CAP_CHECKPOINT_RESTORE");
	else if (place->has_file_cap)
		snprintf(text, size,
			 "start %s itself: under a tracer or a wrapper it does not get "
			 "its capability",
			 place->executable);
	else
		snprintf(text, size, "sudo setcap cap_checkpoint_restore=p %s%s", place->executable,
			 place->container ? " (in a container: while its image is built)" : "");
}

static void advise_clone3(const struct place *place, int why, char *text, size_t size)
{
	if (why == ENOSYS) {
		add(text, size, "the filter in force hides clone3: ");
		add_grant(place, true, text, size);
	} else if (why == EPERM || why == EACCES)
		advise_capability(place, text, size);
	else
		snprintf(text, size, "nothing known: %s", strerror(why));
}

static void advise_userns(const struct place *place, int why, char *text, size_t size)
{
	if (place->userns_clone == 0)
		snprintf(text, size, "sudo sysctl -w kernel.unprivileged_userns_clone=1");
	else if (place->max_userns == 0 || why == ENOSPC)
		snprintf(text, size, "sudo sysctl -w user.max_user_namespaces=10000");
	else if (place->apparmor_userns > 0)
		snprintf(
			text, size,
			"packaging/apparmor/jsnap as /etc/apparmor.d/jsnap, with `userns,` and the "
			"lines its head names in /etc/apparmor.d/local/jsnap, and sudo "
			"apparmor_parser "
			"-r /etc/apparmor.d/jsnap");
	else if (place->may_unshare && place->is_plain_root)
		snprintf(text, size,
			 "run as another user than root: to map uid 0 takes CAP_SETFCAP since "
			 "Linux 5.12");
	else if (why == EINVAL)
		snprintf(text, size, "a kernel with time namespaces (Linux 5.6, CONFIG_TIME_NS)");
	else if (place->seccomp == 2) {
		add(text, size,
		    "not needed: the filter forbids namespaces, and walk needs none; nor does "
		    "clone3: ");
		add_grant(place, true, text, size);
	} else
		snprintf(text, size, "nothing known: %s", strerror(why));
}

static void advise_ptrace(const struct place *place, int why, char *text, size_t size)
{
	if (place->yama >= 2)
		snprintf(text, size,
			 "take the snapshot elsewhere, as while an image is built: a restore needs "
			 "no "
			 "ptrace, which kernel.yama.ptrace_scope=%ld forbids here",
			 place->yama);
	else if (place->seccomp == 2)
		snprintf(text, size, "%s run " FILTERED " (the filter in force forbids ptrace)",
			 engine(place));
	else
		snprintf(text, size, "nothing known: %s", strerror(why));
}

static void advise_ns_last_pid(const struct place *place, int why, char *text, size_t size)
{
	if (why == EROFS) {
		add(text, size,
		    "not needed: /proc/sys is read-only, and walk does without; exact numbers come "
		    "from clone3: ");
		add_grant(place, true, text, size);
	} else
		advise_capability(place, text, size);
}

static void advise_walk(const struct place *place, int why, char *text, size_t size)
{
	if (why == E2BIG)
		snprintf(text, size,
			 "run jsnap in a PID namespace of its own (a container), or with "
			 "--walk-budget %llus: the PID counter, at %ld, goes up to %ld before it "
			 "comes back to lower numbers",
			 (unsigned long long)((uint64_t)place->pid_max * place->step_ns /
					      1000000000u) +
				 1,
			 place->last_pid, place->pid_max);
	else
		snprintf(text, size, "nothing known: %s", strerror(why));
}

void probe_advice(const struct place *place, enum probe_id id, char *text, size_t size)
{
	int why = place->results[id];

	text[0] = '\0';
	if (why == 0)
		return;
	switch (id) {
	case PROBE_CLONE3:
		advise_clone3(place, why, text, size);
		break;
	case PROBE_USERNS:
	case PROBE_TIME_NS:
		advise_userns(place, why, text, size);
		break;
	case PROBE_PROC_MOUNT:
		if (place->results[PROBE_USERNS] == 0)
			snprintf(text, size,
				 "not needed: parts of /proc are masked, and the program sees "
				 "the /proc that is there");
		else
			advise_userns(place, why, text, size);
		break;
	case PROBE_NS_LAST_PID:
		advise_ns_last_pid(place, why, text, size);
		break;
	case PROBE_MAP_FILES:
		advise_capability(place, text, size);
		break;
	case PROBE_PTRACE:
		advise_ptrace(place, why, text, size);
		break;
	case PROBE_PAGEMAP_SCAN:
		snprintf(text, size, "Linux 6.7 or later");
		break;
	case PROBE_MM_MAP:
		if (why == EINVAL)
			snprintf(text, size, "a kernel with CONFIG_CHECKPOINT_RESTORE");
		else
			snprintf(text, size, "%s run " FILTERED, engine(place));
		break;
	case PROBE_WALK:
		advise_walk(place, why, text, size);
		break;
	case PROBE_COUNT:
		snprintf(text, size, "nothing known: %s", strerror(why));
		break;
	}
}
