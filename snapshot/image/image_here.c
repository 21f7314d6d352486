/* The part of an image's header that describes this system and one process of it. */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

/*
 * A text of the kernel that may be absent; the labels of some modules end with NUL or newline.
 * There is no such file without a module, and no module that names labels where it can't be read
 * (EINVAL, fs/proc/base.c). Nothing else may pass for "none".
 */
static int read_text(const char *path, char *ret, size_t size, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;
	int r = read_file(path, 65536, &text, &length);

	ret[0] = '\0';
	if (r == -ENOENT || r == -ENOTDIR || r == -EINVAL)
		return 0;
	if (r < 0)
		return error_set(err, -r, "read %s, which tells how programs are confined: %s",
				 path, strerror(-r));
	length = strcspn(text, "\n");
	if (length >= size)
		return error_set(err, E2BIG, "%s: %zu bytes, an image holds %zu", path, length,
				 size - 1);
	memcpy(ret, text, length);
	ret[length] = '\0';
	return 0;
}

static int arch_at(const char *root, char ret_arch[IMAGE_ARCH_SIZE], struct jsnap_error *err)
{
	struct utsname name;
	char path[4096];

	if (uname(&name) < 0)
		return error_errno(err, "uname");
	snprintf(ret_arch, IMAGE_ARCH_SIZE, "%.15s", name.machine);
	snprintf(path, sizeof(path), "%.4000s/proc/sys/kernel/arch", root);
	return *root && access(path, F_OK) == 0 ? read_text(path, ret_arch, IMAGE_ARCH_SIZE, err)
						: 0;
}

int image_arch_here(char ret_arch[IMAGE_ARCH_SIZE], struct jsnap_error *err)
{
	return arch_at(fault_system_root(), ret_arch, err);
}

int image_header_at(const char *root, pid_t pid, struct image_header *ret_header,
		    struct jsnap_error *err)
{
	struct image_header h = {.version = IMAGE_FORMAT_VERSION};
	struct utsname name;
	char path[4096];
	int r;

	if (uname(&name) < 0)
		return error_errno(err, "uname");
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (access(path, F_OK) < 0)
		return error_set(err, ESRCH, "there is no process %d", (int)pid);
	r = arch_at(root, h.arch, err);
	if (r < 0)
		return r;
	snprintf(h.kernel, sizeof(h.kernel), "%.63s", name.release);
	snprintf(h.machine, sizeof(h.machine), "%.63s", name.nodename);
	snprintf(path, sizeof(path), "%.4000s/sys/kernel/security/lsm", root);
	r = read_text(path, h.lsm, sizeof(h.lsm), err);
	if (r < 0)
		return r;
	if (*root)
		snprintf(path, sizeof(path), "%.4000s/proc/self/attr/current", root);
	else
		snprintf(path, sizeof(path), "/proc/%d/attr/current", (int)pid);
	r = read_text(path, h.lsm_label, sizeof(h.lsm_label), err);
	if (r < 0)
		return r;
	*ret_header = h;
	return 0;
}

int image_header_here(pid_t pid, struct image_header *ret_header, struct jsnap_error *err)
{
	return image_header_at(fault_system_root(), pid, ret_header, err);
}
