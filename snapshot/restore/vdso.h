/*
 * A process of another kernel's days has pointers into that kernel's vDSO (glibc's to its
 * functions, a JVM's copies of them). The old code can't run: it reads data whose layout has
 * changed. So the old image stays where it was, as ordinary memory, and the entry of each of its
 * functions becomes a jump to this kernel's function of that name, or a system call where this
 * kernel has none (vdso(7); arch/x86/entry/vdso/vdso.lds.S exports them).
 */
#ifndef JSNAP_RESTORE_VDSO_H
#define JSNAP_RESTORE_VDSO_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct vdso_image {
	const unsigned char *bytes;
	size_t size;
	uint64_t at; /* address in the restored process */
};

/*
 * Rewrites `old` (the bytes of the image at old_at, size as in the mapping). *ret_patched: entries.
 * -ENOTSUP: it exports what neither a jump nor a system call can stand for. Both images are
 * untrusted bytes.
 */
int vdso_patch(unsigned char *old, size_t size, uint64_t old_at, const struct vdso_image *new,
	       unsigned *ret_patched, struct jsnap_error *err);

#endif
