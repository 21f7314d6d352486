/* See privilege.h. */
#include "base/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

struct capset {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

_Static_assert(sizeof(struct capset) == PRIVILEGE_CAPSET_SIZE, "capset(2) version 3");

int privilege_tid_capability(void)
{
	const uint64_t permitted = privilege_permitted();

	if (permitted & PRIVILEGE_CHECKPOINT_RESTORE)
		return CAP_CHECKPOINT_RESTORE;
	return permitted >> CAP_SYS_ADMIN & 1 ? CAP_SYS_ADMIN : -1;
}

int privilege_raise(int capability, bool on)
{
	cap_value_t value = capability;
	cap_t caps = cap_get_proc();
	int r = 0;

	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, on ? CAP_SET : CAP_CLEAR) < 0 ||
	    cap_set_proc(caps) < 0)
		r = -errno;
	cap_free(caps);
	return r;
}

uint64_t privilege_permitted(void)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	if (syscall(SYS_capget, &set.header, set.data) < 0)
		return 0;
	return (uint64_t)set.data[1].permitted << 32 | set.data[0].permitted;
}

uint64_t privilege_effective(void)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	if (syscall(SYS_capget, &set.header, set.data) < 0)
		return 0;
	return (uint64_t)set.data[1].effective << 32 | set.data[0].effective;
}

static int set_effective(uint64_t effective, struct jsnap_error *err)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	if (syscall(SYS_capget, &set.header, set.data) < 0)
		return error_errno(err, "ask for the capabilities (capget)");
	for (unsigned i = 0; i < 2; i++)
		set.data[i].effective = (uint32_t)(effective >> 32 * i);
	if (syscall(SYS_capset, &set.header, set.data) < 0)
		return error_errno(err, "change the effective capabilities (capset)");
	return 0;
}

int privilege_lower(struct jsnap_error *err)
{
	return geteuid() == 0 || privilege_effective() == 0 ? 0 : set_effective(0, err);
}

int privilege_suspend(uint64_t *ret_effective, struct jsnap_error *err)
{
	uint64_t effective = privilege_effective();
	int r = effective ? set_effective(0, err) : 0;

	*ret_effective = r < 0 ? 0 : effective;
	return r;
}

void privilege_resume(uint64_t effective)
{
	if (effective)
		set_effective(effective, NULL);
}

void privilege_capset_keep(void *buf, uint64_t keep)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	for (unsigned i = 0; i < 2; i++)
		set.data[i].permitted = set.data[i].effective = (uint32_t)(keep >> 32 * i);
	memcpy(buf, &set, sizeof(set));
}

void privilege_capset_raise(void *buf, int capability)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	syscall(SYS_capget, &set.header, set.data);
	set.data[capability / 32].effective |= 1u << (capability % 32);
	memcpy(buf, &set, sizeof(set));
}
