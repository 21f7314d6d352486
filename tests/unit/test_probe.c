/* What doctor concludes from what was found, and the acts that work everywhere. */
#include "check.h"

#include "launcher/doctor/probe.h"

#include <errno.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)

/* A host where everything works. */
static struct place host(void)
{
	return (struct place){.executable = "/usr/bin/jsnap",
			      .may_hold_cap = true,
			      .may_unshare = true,
			      .last_pid = 100,
			      .pid_max = 4194304,
			      .step_ns = 20000,
			      .walk_budget_ns = 1000000000,
			      .yama = -1,
			      .userns_clone = -1,
			      .max_userns = -1,
			      .apparmor_userns = -1};
}

static const char *advice(const struct place *place, enum probe_id id)
{
	static char text[PROBE_ADVICE_SIZE];

	probe_advice(place, id, text, sizeof(text));
	return text;
}

static void test_ladder(void)
{
	struct place place = host();

	CHECK_EQ(probe_best_way(&place), TIDS_CLONE3);
	place.results[PROBE_CLONE3] = EPERM;
	CHECK_EQ(probe_best_way(&place), TIDS_USERNS);
	place.results[PROBE_USERNS] = EPERM;
	CHECK_EQ(probe_best_way(&place), TIDS_NS_LAST_PID);
	place.results[PROBE_NS_LAST_PID] = EROFS;
	CHECK_EQ(probe_best_way(&place), TIDS_WALK);
	place.results[PROBE_USERNS] = 0;
	CHECK_EQ(probe_best_way(&place), TIDS_USERNS);
	place.results[PROBE_TIME_NS] = EACCES; /* a restore sets its clocks there */
	CHECK_EQ(probe_best_way(&place), TIDS_WALK);
	CHECK(probe_can_restore(&place, TIDS_AUTO));
	CHECK(!probe_can_restore(&place, TIDS_CLONE3));
	place.results[PROBE_WALK] = EPERM;
	CHECK_EQ(probe_best_way(&place), TIDS_AUTO);
	CHECK(!probe_can_restore(&place, TIDS_AUTO));
	place = host();
	place.results[PROBE_MM_MAP] = EINVAL;
	CHECK(!probe_can_restore(&place, TIDS_AUTO));
	CHECK(probe_can_checkpoint(&place));
	place.results[PROBE_PTRACE] = EPERM;
	CHECK(!probe_can_checkpoint(&place));
}

static void test_capability_advice(void)
{
	struct place place = host();

	CHECK_STR(advice(&place, PROBE_CLONE3), "");
	place.results[PROBE_CLONE3] = place.results[PROBE_MAP_FILES] = EPERM;
	CHECK_STR(advice(&place, PROBE_CLONE3),
		  "sudo setcap cap_checkpoint_restore=p /usr/bin/jsnap");
	CHECK_STR(advice(&place, PROBE_MAP_FILES),
		  "sudo setcap cap_checkpoint_restore=p /usr/bin/jsnap");
	place.no_new_privs = true;
	HAS(advice(&place, PROBE_CLONE3), "no_new_privs");
	HAS(advice(&place, PROBE_CLONE3), "allowPrivilegeEscalation: true");
	place.has_file_cap = place.is_nosuid = true;
	HAS(advice(&place, PROBE_CLONE3), "mounted nosuid");
	place.may_hold_cap = false;
	HAS(advice(&place, PROBE_CLONE3), "CapabilityBoundingSet=");
	place.container = true;
	HAS(advice(&place, PROBE_CLONE3), "docker run --cap-add CHECKPOINT_RESTORE");
	CHECK(!strstr(advice(&place, PROBE_CLONE3), "systemd"));
	HAS(advice(&place, PROBE_CLONE3), "without no-new-privileges");
	CHECK(!strstr(advice(&place, PROBE_CLONE3), "setcap"));
	place.has_file_cap = false;
	HAS(advice(&place, PROBE_CLONE3), "setcap cap_checkpoint_restore=p /usr/bin/jsnap");
	place.is_root = true;
	CHECK(!strstr(advice(&place, PROBE_CLONE3), "setcap"));
	CHECK(!strstr(advice(&place, PROBE_CLONE3), "no-new-privileges"));
	place.is_root = false;
	place.results[PROBE_CLONE3] = ENOSYS;
	HAS(advice(&place, PROBE_CLONE3), "setcap cap_checkpoint_restore=p /usr/bin/jsnap");
	place.podman = true;
	place.results[PROBE_CLONE3] = EPERM;
	CHECK_STR(advice(&place, PROBE_CLONE3), "podman run --cap-add CHECKPOINT_RESTORE ...");
	place.results[PROBE_CLONE3] = ENOSYS;
	HAS(advice(&place, PROBE_CLONE3), "hides clone3");
	place.results[PROBE_NS_LAST_PID] = EROFS;
	HAS(advice(&place, PROBE_NS_LAST_PID), "walk does without");
	HAS(advice(&place, PROBE_NS_LAST_PID), "seccomp=jsnap-seccomp.json");
	place = host();
	place.results[PROBE_CLONE3] = EPERM;
	place.holds_cap = true;
	HAS(advice(&place, PROBE_CLONE3), "packaging/selinux, packaging/apparmor");
	CHECK(!strstr(advice(&place, PROBE_CLONE3), "setcap"));
}

/* A price that is not known is not held against the walk. */
static void test_walk_advice(void)
{
	struct place place = host();

	CHECK(probe_walk_affordable(&place));
	place.last_pid = 2321;
	CHECK(!probe_walk_affordable(&place));
	place.results[PROBE_WALK] = E2BIG;
	HAS(advice(&place, PROBE_WALK), "--walk-budget 84s");
	HAS(probe_why(&place, PROBE_WALK), "--walk-budget");
	place.pid_max = 32768;
	CHECK(probe_walk_affordable(&place));
	place.last_pid = -1; /* it may be anywhere */
	CHECK(probe_walk_affordable(&place));
	place.pid_max = 4194304;
	CHECK(!probe_walk_affordable(&place));
	place.step_ns = 0;
	CHECK(probe_walk_affordable(&place));
}

/* privileges.md: protections are never to be turned off. */
static void test_nothing_unconfined(void)
{
	static const int errors[] = {EPERM, EACCES, ENOSYS, EROFS, EINVAL, E2BIG};

	for (unsigned facts = 0; facts < 2048; facts++) {
		struct place place = host();

		place.seccomp = facts & 1 ? 2 : 0;
		place.container = facts & 2;
		place.podman = facts & 4;
		place.may_hold_cap = facts & 8;
		place.holds_cap = facts & 16;
		place.no_new_privs = facts & 32;
		place.may_unshare = facts & 64;
		place.is_plain_root = facts & 128;
		place.is_root = facts & 256;
		place.yama = facts & 512 ? 3 : 2;
		place.apparmor_userns = facts & 1024 ? 1 : 0;
		for (int i = 0; i < PROBE_COUNT; i++)
			for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
				place.results[i] = errors[e];
				CHECK(*advice(&place, (enum probe_id)i));
				CHECK(!strstr(advice(&place, (enum probe_id)i), "unconfined"));
				CHECK(!strstr(advice(&place, (enum probe_id)i), "unmask"));
				CHECK(!strstr(advice(&place, (enum probe_id)i), "ptrace_scope=1"));
				CHECK(!strstr(advice(&place, (enum probe_id)i),
					      "ptrace_scope below"));
				CHECK(!strstr(advice(&place, (enum probe_id)i), "userns=0"));
				CHECK(strlen(advice(&place, (enum probe_id)i)) <
				      PROBE_ADVICE_SIZE - 200);
				CHECK(!strstr(advice(&place, (enum probe_id)i), "privileged="));
			}
	}
}

static void test_namespace_advice(void)
{
	struct place place = host();

	place.results[PROBE_USERNS] = EPERM;
	HAS(advice(&place, PROBE_USERNS), "nothing known");
	place.seccomp = 2;
	HAS(advice(&place, PROBE_USERNS), "walk needs none");
	place.is_plain_root = true;
	HAS(advice(&place, PROBE_USERNS), "another user than root");
	place.may_unshare = false;
	HAS(advice(&place, PROBE_USERNS), "walk needs none");
	place.apparmor_userns = 1;
	HAS(advice(&place, PROBE_USERNS), "apparmor_parser -r /etc/apparmor.d/jsnap");
	place.max_userns = 0;
	HAS(advice(&place, PROBE_USERNS), "user.max_user_namespaces");
	place.userns_clone = 0;
	HAS(advice(&place, PROBE_USERNS), "kernel.unprivileged_userns_clone=1");
	place.results[PROBE_PTRACE] = EPERM;
	place.yama = 2;
	HAS(advice(&place, PROBE_PTRACE), "a restore needs no ptrace");
}

/* What needs no privilege, no filter's leave and no new kernel works wherever tests run. */
static void test_here(void)
{
	struct place place;

	probe_place(60000000000ull, &place);
	CHECK_EQ(place.results[PROBE_WALK], 0);
	CHECK(place.pid_max > 0);
	CHECK_EQ(place.executable[0], '/');
	for (int i = 0; i < PROBE_COUNT; i++)
		CHECK_EQ(*advice(&place, (enum probe_id)i) != '\0', place.results[i] != 0);
}

int main(void)
{
	test_ladder();
	test_capability_advice();
	test_namespace_advice();
	test_walk_advice();
	test_nothing_unconfined();
	test_here();
	return 0;
}
