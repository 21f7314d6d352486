/* See privilege.h. */
#include "base/privilege.h"

#include <assert.h>
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

static bool permitted(int capability)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (!caps)
		return false;
	cap_get_flag(caps, capability, CAP_PERMITTED, &value);
	cap_free(caps);
	return value == CAP_SET;
}

int privilege_tid_capability(void)
{
	if (permitted(CAP_CHECKPOINT_RESTORE))
		return CAP_CHECKPOINT_RESTORE;
	return permitted(CAP_SYS_ADMIN) ? CAP_SYS_ADMIN : -1;
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

void privilege_lower(void)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	if (geteuid() == 0 || syscall(SYS_capget, &set.header, set.data) < 0)
		return;
	set.data[0].effective = set.data[1].effective = 0;
	syscall(SYS_capset, &set.header, set.data);
	assert(privilege_effective() == 0);
}

static void set_effective(uint64_t effective)
{
	struct capset set = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};

	if (syscall(SYS_capget, &set.header, set.data) < 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		set.data[i].effective = (uint32_t)(effective >> 32 * i);
	syscall(SYS_capset, &set.header, set.data);
	assert(privilege_effective() == effective);
}

uint64_t privilege_suspend(void)
{
	uint64_t effective = privilege_effective();

	if (effective)
		set_effective(0);
	return effective;
}

void privilege_resume(uint64_t effective)
{
	if (effective)
		set_effective(effective);
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
