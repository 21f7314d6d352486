/* Finding java, and what identifies a JDK: its folder, its release file, libjvm and modules. */
#include "launcher/java/java_command.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/verbs/verbs.h"
#include "launcher/java/words.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define RELEASE_MAX (64u << 10) /* bytes of HOME/release */

int java_file_look(const char *path, struct java_file *ret_file, struct jsnap_error *err)
{
	struct java_file file = {.path = strdup(path)};
	struct stat st;

	if (!file.path)
		return error_set(err, ENOMEM, "out of memory");
	if (stat(path, &st) == 0) {
		file.size = (uint64_t)st.st_size;
		file.inode = st.st_ino;
		file.mtime_ns = file_time_ns(st.st_mtim);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		error_errno(err, "look at %s", path);
		free(file.path);
		return -err->code;
	}
	*ret_file = file;
	return 0;
}

static int check_executable(const char *path, const char *why, int *ret_status,
			    struct jsnap_error *err)
{
	struct stat st;
	int r = stat(path, &st);

	if (r < 0 && errno != ENOENT && errno != ENOTDIR) {
		*ret_status = EXIT_JAVA_NOT_EXECUTABLE;
		return error_errno(err, "look at %s", path);
	}
	if (r < 0) {
		*ret_status = EXIT_JAVA_NOT_FOUND;
		return error_set(err, ENOENT,
				 "there is no %s, but %s; install a JDK there or "
				 "unset JAVA_HOME",
				 path, why);
	}
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0) {
		*ret_status = EXIT_JAVA_NOT_EXECUTABLE;
		return error_set(err, EACCES, "%s cannot be executed: it is %s", path,
				 S_ISREG(st.st_mode) ? "not executable for you" : "not a file");
	}
	return 0;
}

/* The first executable java in PATH, as execvp(3) would find it: one that may not be executed is
 * remembered, and blamed when there is no other. */
static int find_in_path(const char *path, char **ret_java, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_FREE char *blamed = NULL;

	for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin";;) {
		size_t n = strcspn(p, ":");
		char *java;
		struct stat st;

		if (asprintf(&java, "%.*s%sjava", (int)n, p, n ? "/" : "./") < 0)
			return error_set(err, ENOMEM, "out of memory");
		if (stat(java, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(java, X_OK) == 0) {
				*ret_java = java;
				return 0;
			}
			if (!blamed)
				blamed = STEAL_PTR(java);
		}
		free(java);
		p += n;
		if (!*p++)
			break;
	}
	if (blamed)
		return check_executable(blamed, "", ret_status, err);
	*ret_status = EXIT_JAVA_NOT_FOUND;
	return error_set(err, ENOENT,
			 "no java found: JAVA_HOME is not set and there is no java in "
			 "PATH; install a JDK or set JAVA_HOME");
}

static int find_executable(char *const *env, char **ret_java, int *ret_status,
			   struct jsnap_error *err)
{
	const char *home = words_env(env, "JAVA_HOME");
	CLEANUP_FREE char *java = NULL, *why = NULL;
	int r;

	if (!home || !*home)
		return find_in_path(words_env(env, "PATH"), ret_java, ret_status, err);
	if (asprintf(&java, "%s/bin/java", home) < 0 || asprintf(&why, "JAVA_HOME is %s", home) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = check_executable(java, why, ret_status, err);
	if (r == 0)
		*ret_java = STEAL_PTR(java);
	return r;
}

/* HOME of HOME/bin/java behind all symbolic links; "" when it is something else, a shim perhaps. */
static int find_home(const char *java, char **ret_home, struct jsnap_error *err)
{
	static const char tail[] = "/bin/java";
	CLEANUP_FREE char *real = realpath(java, NULL);
	size_t n = real ? strlen(real) : 0;
	bool fits = n > strlen(tail) && strcmp(real + n - strlen(tail), tail) == 0;
	char *home;

	if (!real && errno == ENOMEM)
		return error_set(err, ENOMEM, "out of memory");
	home = fits ? strndup(real, n - strlen(tail)) : strdup("");
	if (!home)
		return error_set(err, ENOMEM, "out of memory");
	*ret_home = home;
	return 0;
}

/* KEY="VALUE" of the release file (java(1) writes it with jlink); "" when it is not there. */
static char *release_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, key, n) == 0 && line[n] == '=') {
			const char *value = line + n + 1;

			if (*value == '"' && end - value >= 2 && end[-1] == '"') {
				value++;
				end--;
			}
			return strndup(value, (size_t)(end - value));
		}
		line = *end ? end + 1 : end;
	}
	return strdup("");
}

static int read_release(struct java_jdk *jdk, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL, *path = NULL;

	if (asprintf(&path, "%s/release", jdk->home) < 0)
		return error_set(err, ENOMEM, "out of memory");
	/* some runtimes have none: libjvm and modules then identify the JDK alone */
	if (read_file(path, RELEASE_MAX, &text, NULL) < 0)
		text = NULL;
	jdk->version = release_value(text, "JAVA_VERSION");
	jdk->vendor = release_value(text, "IMPLEMENTOR");
	if (!jdk->version || !jdk->vendor)
		return error_set(err, ENOMEM, "out of memory");
	/* 1.8.0_402 is Java 8 */
	jdk->feature = atoi(strncmp(jdk->version, "1.", 2) == 0 ? jdk->version + 2 : jdk->version);
	return 0;
}

static int look_below(const struct java_jdk *jdk, const char *name, struct java_file *ret_file,
		      struct jsnap_error *err)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", jdk->home, name) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return java_file_look(path, ret_file, err);
}

int java_jdk_find(char *const *env, struct java_jdk *ret_jdk, int *ret_status,
		  struct jsnap_error *err)
{
	struct java_jdk jdk = {0};
	int r = find_executable(env, &jdk.executable, ret_status, err);

	if (r == 0)
		r = find_home(jdk.executable, &jdk.home, err);
	if (r == 0)
		r = read_release(&jdk, err);
	if (r == 0)
		r = look_below(&jdk, "lib/server/libjvm.so", &jdk.libjvm, err);
	if (r == 0)
		r = look_below(&jdk, "lib/modules", &jdk.modules, err);
	if (r < 0) {
		java_jdk_free(&jdk);
		return r;
	}
	*ret_jdk = jdk;
	return 0;
}

void java_jdk_free(struct java_jdk *jdk)
{
	free(jdk->executable);
	free(jdk->home);
	free(jdk->version);
	free(jdk->vendor);
	free(jdk->libjvm.path);
	free(jdk->modules.path);
	*jdk = (struct java_jdk){0};
}
