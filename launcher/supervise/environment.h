/*
 * The environment the caller gave, which is not always what environ holds: a binary with a file
 * capability runs with AT_SECURE, and glibc then removes LD_LIBRARY_PATH, LD_PRELOAD, MALLOC_*,
 * TMPDIR and others from it (ld.so(8), "Secure-execution mode"). java must see them all.
 */
#ifndef JSNAP_LAUNCHER_ENVIRONMENT_H
#define JSNAP_LAUNCHER_ENVIRONMENT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define ENVIRONMENT_MAX_BYTES (8u << 20)

struct environment {
	char **vars; /* NULL-terminated "NAME=VALUE" */
	size_t count;
	char *block; /* what vars point into, when it was read from /proc; else NULL */
};

/*
 * The caller's environment with `set` ("K=V", later ones win, replaced in place) laid over it.
 * Makes this process dumpable when it runs AT_SECURE: /proc/self/environ belongs to root otherwise
 * (proc(5)), and so would the files under which it reads its own children. That gives away nothing:
 * ptrace(2) still demands the tracee's capabilities of the tracer.
 */
int environment_of_caller(const char *const *set, size_t n_set, struct environment *ret_env,
			  struct jsnap_error *err);
void environment_free(struct environment *env);
#define CLEANUP_ENVIRONMENT __attribute__((cleanup(environment_free)))

/* Pure: splits `size` bytes of NUL-terminated strings; takes ownership of `block` on success. */
int environment_split(char *block, size_t size, struct environment *ret_env,
		      struct jsnap_error *err);
/* Pure: sets or replaces one "K=V"; the string must outlive `env`. */
int environment_set(struct environment *env, const char *assignment, struct jsnap_error *err);

const char *environment_get(const struct environment *env, const char *name);

#endif
