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
			      .yama = -1,
			      .userns_clone = -1,
			      .max_userns = -1,
			      .apparmor_userns = -1};
}

static const char *advice(const struct place *place, enum probe_id id)
{
	static char text[512];

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
	place.has_file_cap = place.is_nosuid = true;
	HAS(advice(&place, PROBE_CLONE3), "mounted nosuid");
	place.may_hold_cap = false;
	HAS(advice(&place, PROBE_CLONE3), "--cap-add CHECKPOINT_RESTORE");
	place.results[PROBE_CLONE3] = ENOSYS;
	HAS(advice(&place, PROBE_CLONE3), "hides clone3");
	place.results[PROBE_NS_LAST_PID] = EROFS;
	HAS(advice(&place, PROBE_NS_LAST_PID), "systempaths=unconfined");
}

static void test_namespace_advice(void)
{
	struct place place = host();

	place.results[PROBE_USERNS] = EPERM;
	HAS(advice(&place, PROBE_USERNS), "nothing known");
	place.seccomp = 2;
	HAS(advice(&place, PROBE_USERNS), "seccomp=unconfined");
	place.apparmor_userns = 1;
	HAS(advice(&place, PROBE_USERNS), "kernel.apparmor_restrict_unprivileged_userns=0");
	place.max_userns = 0;
	HAS(advice(&place, PROBE_USERNS), "user.max_user_namespaces");
	place.userns_clone = 0;
	HAS(advice(&place, PROBE_USERNS), "kernel.unprivileged_userns_clone=1");
	place.results[PROBE_PTRACE] = EPERM;
	place.yama = 2;
	HAS(advice(&place, PROBE_PTRACE), "kernel.yama.ptrace_scope=1");
	place.yama = 3;
	HAS(advice(&place, PROBE_PTRACE), "cannot be lowered");
}

/* What needs no privilege, no filter's leave and no new kernel works wherever tests run. */
static void test_here(void)
{
	struct place place;

	probe_place(&place);
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
	test_here();
	return 0;
}
