/* See class_path.h. */
#include "launcher/java/class_path.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool is_wildcard(const char *entry)
{
	size_t n = strlen(entry);

	return n > 0 && entry[n - 1] == '*' && (n == 1 || entry[n - 2] == '/') &&
	       access(entry, F_OK) < 0;
}

static int is_jar(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n >= 4 &&
	       (strcmp(entry->d_name + n - 4, ".jar") == 0 ||
		strcmp(entry->d_name + n - 4, ".JAR") == 0) &&
	       !strchr(entry->d_name, ':');
}

/* A folder without jars, or one that cannot be read, leaves the entry as it is. */
static int add_wildcard(const char *entry, struct words *entries)
{
	size_t n = strlen(entry) - 1;
	CLEANUP_FREE char *folder = n ? strndup(entry, n) : strdup(".");
	struct dirent **found = NULL;
	int count, r = 0;

	if (!folder)
		return -ENOMEM;
	count = scandir(folder, &found, is_jar, alphasort);
	for (int i = 0; i < count; i++) {
		char *path = NULL;

		if (r == 0 && asprintf(&path, "%.*s%s", (int)n, entry, found[i]->d_name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = words_add(entries, path);
		free(path);
		free(found[i]);
	}
	free(found);
	return count > 0 ? r : words_add(entries, entry);
}

int class_path_split(const char *text, int wildcards, struct words *entries)
{
	for (;;) {
		size_t n = strcspn(text, ":");
		CLEANUP_FREE char *entry = n ? strndup(text, n) : strdup(".");
		int r;

		if (!entry)
			return -ENOMEM;
		r = wildcards && is_wildcard(entry) ? add_wildcard(entry, entries)
						    : words_add(entries, entry);
		if (r < 0 || !text[n])
			return r;
		text += n + 1;
	}
}
