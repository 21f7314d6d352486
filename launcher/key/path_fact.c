/* See path_fact.h. */
#include "launcher/key/path_fact.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/key/content_print.h"
#include "launcher/key/key.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRINT " print="

static int folder_fact(const char *path, char text[PATH_FACT_SIZE], struct jsnap_error *err)
{
	CLEANUP_FREE char *copy = strdup(path);
	char *paths[] = {copy, NULL};
	uint64_t size = 0;
	int64_t newest = 0;
	unsigned files = 0;
	FTSENT *entry;
	FTS *fts;

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	if (!fts)
		return error_errno(err, "read folder %s", path);
	while (files <= KEY_MAX_FOLDER_FILES && (entry = fts_read(fts))) {
		/* FTS_DP comes a second time; FTS_NS and FTS_ERR have no usable stat */
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS ||
		    entry->fts_info == FTS_ERR)
			continue;
		files++;
		if (S_ISREG(entry->fts_statp->st_mode))
			size += (uint64_t)entry->fts_statp->st_size;
		if (file_time_ns(entry->fts_statp->st_mtim) > newest)
			newest = file_time_ns(entry->fts_statp->st_mtim);
	}
	fts_close(fts);
	if (files > KEY_MAX_FOLDER_FILES)
		return error_set(err, E2BIG,
				 "the class path folder %s has more than %u files: too many to see "
				 "when one changes",
				 path, KEY_MAX_FOLDER_FILES);
	snprintf(text, PATH_FACT_SIZE, "folder files=%u size=%" PRIu64 " newest=%" PRId64, files,
		 size, newest);
	return 0;
}

int path_fact(const char *path, char ret_text[PATH_FACT_SIZE], struct jsnap_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOMEM || errno == EIO)
			return error_errno(err, "look at %s", path);
		strcpy(ret_text, "missing");
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return folder_fact(path, ret_text, err);
	snprintf(ret_text, PATH_FACT_SIZE, "file size=%" PRIu64 " mtime=%" PRId64 " inode=%" PRIu64,
		 (uint64_t)st.st_size, file_time_ns(st.st_mtim), (uint64_t)st.st_ino);
	return 0;
}

/* The number behind " NAME=" in a fact, as text that ends at a blank; NULL when it has none. */
static const char *field(const char *fact, const char *name)
{
	const char *at = strstr(fact, name);

	return at ? at + strlen(name) : NULL;
}

static bool field_differs(const char *then, const char *now, const char *name,
			  const char **ret_then, const char **ret_now)
{
	const char *a = field(then, name), *b = field(now, name);
	size_t n = a ? strcspn(a, " ") : 0, m = b ? strcspn(b, " ") : 0;

	*ret_then = a;
	*ret_now = b;
	return a && b && (n != m || strncmp(a, b, n) != 0);
}

#define NS_PER_S 1000000000

static bool same_time(const char *then, const char *now)
{
	const char *a = field(then, " mtime="), *b = field(now, " mtime=");
	int64_t x = a ? strtoll(a, NULL, 10) : 0, y = b ? strtoll(b, NULL, 10) : -1;

	if (x == y)
		return a && b;
	return a && b && (x % NS_PER_S == 0 || y % NS_PER_S == 0) && x / NS_PER_S == y / NS_PER_S;
}

bool path_fact_holds(const char *path, const char *then, const char *now)
{
	const char *print = strstr(then, PRINT), *a, *b;
	size_t n = print ? (size_t)(print - then) : strlen(then);
	uint64_t today;

	if (strlen(now) == n && memcmp(then, now, n) == 0)
		return true;
	if (strncmp(then, "file ", 5) != 0 || strncmp(now, "file ", 5) != 0 ||
	    field_differs(then, now, " size=", &a, &b))
		return false;
	if (!print)
		return same_time(then, now);
	return content_print(path, &today) && strtoull(print + strlen(PRINT), NULL, 16) == today;
}

void path_fact_print(const char *path, char text[PATH_FACT_SIZE])
{
	char now[PATH_FACT_SIZE];
	size_t n = strlen(text);
	uint64_t print;

	/* Looked at before and after: the print is that of the file the fact tells of. */
	if (strncmp(text, "file ", 5) != 0 || !content_print(path, &print) ||
	    path_fact(path, now, NULL) < 0 || strcmp(now, text) != 0)
		return;
	snprintf(text + n, PATH_FACT_SIZE - n, PRINT "%016" PRIx64, print);
}

void path_fact_difference(const char *then, const char *now, char *text, size_t size)
{
	const char *a, *b;

	if (strcmp(now, "missing") == 0)
		snprintf(text, size, "is gone");
	else if (strcmp(then, "missing") == 0)
		snprintf(text, size, "was not there");
	else if (strcspn(then, " ") != strcspn(now, " "))
		snprintf(text, size, "was a %.*s and is a %.*s", (int)strcspn(then, " "), then,
			 (int)strcspn(now, " "), now);
	else if (field_differs(then, now, " files=", &a, &b))
		snprintf(text, size, "changed (%.*s -> %.*s files)", (int)strcspn(a, " "), a,
			 (int)strcspn(b, " "), b);
	else if (field_differs(then, now, " size=", &a, &b))
		snprintf(text, size, "changed (size %.*s -> %.*s)", (int)strcspn(a, " "), a,
			 (int)strcspn(b, " "), b);
	else if (field_differs(then, now, " inode=", &a, &b))
		snprintf(text, size, "was replaced");
	else
		snprintf(text, size, "was modified since");
}
