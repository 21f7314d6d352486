/* See agent_path.h. */
#include "launcher/cold/agent_path.h"

#include "base/cleanup.h"

#include <glob.h>
#include <limits.h>
#include <string.h>

static const char *const places[] = {
	"../lib/jsnap/" AGENT_LIBRARY,
	"../lib64/jsnap/" AGENT_LIBRARY,
	"../lib/*/jsnap/" AGENT_LIBRARY,
	"../agent/" AGENT_LIBRARY,
};

/* The executable's folder is literal text, whatever it holds. */
static void escape(const char *text, char *ret_escaped)
{
	for (; *text; text++) {
		if (strchr("*?[\\", *text))
			*ret_escaped++ = '\\';
		*ret_escaped++ = *text;
	}
	*ret_escaped = '\0';
}

static char *try_place(const char *folder, const char *place)
{
	CLEANUP_FREE char *pattern = NULL;
	char *found = NULL;
	glob_t matches;

	if (asprintf(&pattern, "%s/%s", folder, place) < 0) {
		pattern = NULL;
		return NULL;
	}
	if (glob(pattern, 0, NULL, &matches) == 0) {
		found = realpath(matches.gl_pathv[0], NULL);
		globfree(&matches);
	}
	return found;
}

int agent_path_beside(const char *executable, char **ret_path, struct jsnap_error *err)
{
	char folder[PATH_MAX], escaped[2 * PATH_MAX];
	char *slash;

	if (strlen(executable) >= sizeof(folder))
		return error_set(err, ENAMETOOLONG, "the path of jsnap is too long: %s",
				 executable);
	strcpy(folder, executable);
	slash = strrchr(folder, '/');
	if (!slash)
		return error_set(err, EINVAL, "'%s' is not an absolute path", executable);
	*slash = '\0';
	escape(folder, escaped);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *found = try_place(escaped, places[i]);

		if (!found)
			continue;
		*ret_path = found;
		return 0;
	}
	return error_set(err, ENOENT,
			 "%s was not found near %s (../lib/jsnap, ../lib/*/jsnap, ../agent); set "
			 "JSNAP_AGENT to its path or install jsnap again",
			 AGENT_LIBRARY, folder);
}

int agent_path_find(const char *override, char **ret_path, struct jsnap_error *err)
{
	char executable[PATH_MAX];
	ssize_t n;

	if (override && *override) {
		*ret_path = realpath(override, NULL);
		if (!*ret_path)
			return error_errno(err, "JSNAP_AGENT=%s", override);
		return 0;
	}
	n = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
	if (n < 0)
		return error_errno(err, "read /proc/self/exe");
	executable[n] = '\0';
	return agent_path_beside(executable, ret_path, err);
}
