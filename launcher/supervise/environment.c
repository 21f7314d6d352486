/* See environment.h. */
#include "launcher/supervise/environment.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

void environment_free(struct environment *env)
{
	free(env->vars);
	free(env->block);
	memset(env, 0, sizeof(*env));
}

static int append(struct environment *env, char *var, struct jsnap_error *err)
{
	/* Grown by doubling from 64: a power of two is the moment to grow. */
	if (!env->vars || (env->count >= 63 && ((env->count + 1) & env->count) == 0)) {
		size_t capacity = env->vars ? (env->count + 1) * 2 : 64;
		char **grown = reallocarray(env->vars, capacity, sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "no memory for the environment");
		env->vars = grown;
	}
	env->vars[env->count++] = var;
	env->vars[env->count] = NULL;
	return 0;
}

static int start_empty(struct environment *env, struct jsnap_error *err)
{
	env->vars = calloc(64, sizeof(*env->vars));
	return env->vars ? 0 : error_set(err, ENOMEM, "no memory for the environment");
}

int environment_split(char *block, size_t size, struct environment *ret_env,
		      struct jsnap_error *err)
{
	struct environment env = {0};
	int rc = start_empty(&env, err);

	for (size_t at = 0; rc == 0 && at < size;) {
		size_t length = strnlen(block + at, size - at);

		if (at + length == size) {
			rc = error_set(err, EBADMSG, "the environment does not end with a NUL");
			break;
		}
		if (length)
			rc = append(&env, block + at, err);
		at += length + 1;
	}
	if (rc < 0) {
		free(env.vars);
		return rc;
	}
	env.block = block;
	*ret_env = env;
	return 0;
}

static size_t name_length(const char *assignment)
{
	return strcspn(assignment, "=");
}

int environment_set(struct environment *env, const char *assignment, struct jsnap_error *err)
{
	size_t length = name_length(assignment);

	if (!length || assignment[length] != '=')
		return error_set(err, EINVAL, "'%s' is not NAME=VALUE", assignment);
	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->vars[i], assignment, length + 1) != 0)
			continue;
		env->vars[i] = (char *)(uintptr_t)assignment;
		return 0;
	}
	return append(env, (char *)(uintptr_t)assignment, err);
}

const char *environment_get(const struct environment *env, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->vars[i], name, length) == 0 && env->vars[i][length] == '=')
			return env->vars[i] + length + 1;
	return NULL;
}

static int copy_environ(struct environment *ret_env, struct jsnap_error *err)
{
	struct environment env = {0};
	int rc = start_empty(&env, err);

	for (char **var = environ; rc == 0 && var && *var; var++)
		rc = append(&env, *var, err);
	if (rc < 0) {
		free(env.vars);
		return rc;
	}
	*ret_env = env;
	return 0;
}

static int read_own(struct environment *ret_env, struct jsnap_error *err)
{
	CLEANUP_FREE char *block = NULL;
	size_t size;
	int rc;

	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return error_errno(err, "make jsnap dumpable to read its environment");
	rc = read_file("/proc/self/environ", ENVIRONMENT_MAX_BYTES, &block, &size);
	if (rc < 0) {
		errno = -rc;
		return error_errno(err, "read /proc/self/environ, the caller's environment");
	}
	rc = environment_split(block, size, ret_env, err);
	if (rc == 0)
		block = NULL;
	return rc;
}

int environment_of_caller(const char *const *set, size_t n_set, struct environment *ret_env,
			  struct jsnap_error *err)
{
	struct environment env = {0};
	int rc = getauxval(AT_SECURE) ? read_own(&env, err) : copy_environ(&env, err);

	for (size_t i = 0; rc == 0 && i < n_set; i++)
		rc = environment_set(&env, set[i], err);
	if (rc < 0) {
		environment_free(&env);
		return rc;
	}
	*ret_env = env;
	return 0;
}
