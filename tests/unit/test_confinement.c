/* --lsm keep on recorded machines: each item changed alone, both sides in the refusal's words. */
#include "launcher/restore/confinement.h"
#include "launcher/restore/heap_limit.h"

#include "base/cleanup.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NET_ADMIN (1ull << 12)
#define SYS_NICE  (1ull << 23)
#define RESTORE	  (1ull << 40)

static struct confinement machine(const char *name, uint64_t capabilities)
{
	struct confinement c = {.capabilities = capabilities};
	struct jsnap_error err = {0};
	char root[512];

	snprintf(root, sizeof(root), "%s/lsm/%s", FIXTURES, name);
	CHECK_EQ(image_header_at(root, getpid(), &c.header, &err), 0);
	return c;
}

static void check(const char *then, uint64_t had, const char *now, uint64_t has, const char *a,
		  const char *b)
{
	struct confinement before = machine(then, 0), here = machine(now, has);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct jsnap_error err = {0};
	int r;

	CHECK_EQ(manifest_init(&m, NULL), 0);
	MANIFEST_ADD(&m, host)->cap_permitted = had;
	r = confinement_check(&before.header, &m, &here, LSM_KEEP, &err);
	CHECK_EQ(r, a ? -ESTALE : 0);
	if (a && (!strstr(err.text, a) || !strstr(err.text, b)))
		fprintf(stderr, "not \"%s\" and \"%s\" in: %s\n", a, b, err.text);
	CHECK(!a || (strstr(err.text, a) && strstr(err.text, b)));
	CHECK(!a || strstr(err.text, "--lsm ignore"));
	CHECK_EQ(confinement_check(&before.header, &m, &here, LSM_IGNORE, &err), 0);
}

static void test_heap(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(manifest_init(&m, NULL), 0);
	CHECK_EQ(heap_limit_check(&m, 1, &err), 0);
	CHECK_EQ(heap_limit_store(1ull << 30, &m, &err), 0);
	MANIFEST_ADD(&m, host)->memory_limit = UINT64_MAX;
	CHECK_EQ(heap_limit_check(&m, 1ull << 30, &err), 0);
	CHECK_EQ(heap_limit_check(&m, UINT64_MAX, &err), 0);
	CHECK_EQ(heap_limit_check(&m, 512ull << 20, &err), -ENOMEM);
	CHECK(strstr(err.text, "grow to 1024 MiB") && strstr(err.text, "allows 512 MiB"));
	m.host->memory_limit = 768ull << 20;
	CHECK_EQ(heap_limit_check(&m, 512ull << 20, &err), 0);
}

static void test_filters(void)
{
	struct confinement then = machine("none", 0), here = then;
	CLEANUP_MANIFEST struct manifest m = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(manifest_init(&m, NULL), 0);
	m.process->seccomp_filters = 2;
	here.seccomp_filters = 3;
	CHECK_EQ(confinement_check(&then.header, &m, &here, LSM_KEEP, &err), 0);
	here.seccomp_filters = 1;
	CHECK_EQ(confinement_check(&then.header, &m, &here, LSM_KEEP, &err), -ESTALE);
	CHECK(strstr(err.text, "under 2 seccomp filters") && strstr(err.text, "under 1 here"));
	CHECK_EQ(confinement_check(&then.header, &m, &here, LSM_IGNORE, &err), 0);
}

/* What can't be read is not the same as what is not there. */
static void test_unreadable(void)
{
	static const char *const PARTS[] = {"proc", "proc/self", "proc/self/attr",
					    "proc/self/attr/current"};
	const char *tmp = getenv("TMPDIR");
	struct image_header header;
	struct jsnap_error err = {0};
	char root[200], path[300];

	snprintf(root, sizeof(root), "%.100s/jsnap-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(root));
	CHECK_EQ(image_header_at(root, getpid(), &header, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, PARTS[i]);
		CHECK_EQ(mkdir(path, 0700), 0);
	}
	CHECK_EQ(image_header_at(root, getpid(), &header, &err), -EISDIR);
	CHECK(strstr(err.text, "attr/current") && strstr(err.text, "confined"));
	for (size_t i = ARRAY_SIZE(PARTS); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", root, PARTS[i]);
		CHECK_EQ(rmdir(path), 0);
	}
	CHECK_EQ(rmdir(root), 0);
}

int main(void)
{
	struct confinement c = machine("selinux", 0), arm = c;
	CLEANUP_MANIFEST struct manifest m = {0};
	struct jsnap_error err = {0};

	CHECK_STR(c.header.lsm, "lockdown,capability,yama,selinux,bpf");
	CHECK_STR(c.header.lsm_label, "system_u:system_r:container_t:s0:c12,c34");
	CHECK_STR(machine("apparmor", 0).header.lsm_label, "jsnap-app (enforce)");
	CHECK_STR(machine("none", 0).header.lsm_label, "");

	check("apparmor", 0, "apparmor", 0, NULL, NULL);
	check("none", 0, "none", 0, NULL, NULL);
	check("apparmor", 0, "apparmor-unconfined", 0, "label 'jsnap-app (enforce)'",
	      "under 'unconfined'");
	check("apparmor-unconfined", 0, "apparmor", 0, "label 'unconfined'",
	      "under 'jsnap-app (enforce)'");
	check("selinux", 0, "none", 0, "container_t:s0:c12,c34'", "under 'none'");
	check("selinux", 0, "selinux-bpfless", 0, "modules 'lockdown,capability,yama,selinux,bpf'",
	      "under 'lockdown,capability,yama,selinux'");
	/* equal names are not enough */
	check("selinux", NET_ADMIN | SYS_NICE, "selinux", NET_ADMIN, "cap_sys_nice", "not have");
	check("selinux", NET_ADMIN, "selinux", NET_ADMIN | SYS_NICE, NULL, NULL);
	check("none", NET_ADMIN, "none", 0, "cap_net_admin", "not have");
	check("none", RESTORE, "none", 0, NULL, NULL);

	CHECK_EQ(manifest_init(&m, NULL), 0);
	snprintf(arm.header.arch, sizeof(arm.header.arch), "aarch64");
	CHECK_EQ(confinement_check(&arm.header, &m, &c, LSM_IGNORE, &err), -ENOTSUP);
	CHECK(strstr(err.text, "aarch64") && strstr(err.text, c.header.arch));
	test_filters();
	test_unreadable();
	test_heap();
	return 0;
}
