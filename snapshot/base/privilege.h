/*
 * Capabilities: what this process may raise, and doing so only around the calls that need it.
 * capabilities(7), capset(2). CAP_CHECKPOINT_RESTORE (Linux 5.9) is what choosing TIDs takes;
 * CAP_SYS_ADMIN includes it.
 */
#ifndef JSNAP_BASE_PRIVILEGE_H
#define JSNAP_BASE_PRIVILEGE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PRIVILEGE_HEADER_SIZE 8u
#define PRIVILEGE_CAPSET_SIZE 32u /* header and data of capset(2), version 3 */

#define PRIVILEGE_CHECKPOINT_RESTORE (1ull << 40) /* as a bit of a set, <linux/capability.h> */

/* The capability that lets this process choose TIDs, CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN; -1 if
 * neither is permitted. */
int privilege_tid_capability(void);

/* Makes a permitted capability effective, or ineffective again. 0 or -errno. */
int privilege_raise(int capability, bool on);

/* Clears the effective set, but for root, whose it always is. 0, or -EPERM where a filter forbids
 * it. */
int privilege_lower(struct jsnap_error *err);

/*
 * For while something from outside is parsed: clears the calling thread's effective set, root's
 * too; *ret_effective is what it was, for privilege_resume. Threads that are made meanwhile have
 * none either. It keeps the kernel from acting on a privilege by mistake, and is no fence: the
 * permitted set stays. 0, or -EPERM (and 0 in *ret_effective) where a filter forbids it.
 */
int privilege_suspend(uint64_t *ret_effective, struct jsnap_error *err);
void privilege_resume(uint64_t effective);
static inline void cleanup_privilege(const uint64_t *effective)
{
	privilege_resume(*effective);
}
#define CLEANUP_PRIVILEGE __attribute__((cleanup(cleanup_privilege), unused))

/* The effective set, by number. */
uint64_t privilege_effective(void);

/* The permitted set, by number; 0 when it can't be read. */
uint64_t privilege_permitted(void);

/* Arguments of a capset(2) call that drops everything but `keep`, which it makes effective / makes
 * one permitted capability effective.
 */
void privilege_capset_keep(void *buf, uint64_t keep);
void privilege_capset_raise(void *buf, int capability);

#endif
