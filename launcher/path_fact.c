/* See path_fact.h. */
#include "launcher/path_fact.h"

#include "base/cleanup.h"
#include "launcher/key.h"

#include <fts.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

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
		if (mtime_ns(entry->fts_statp) > newest)
			newest = mtime_ns(entry->fts_statp);
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
		strcpy(ret_text, "missing");
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return folder_fact(path, ret_text, err);
	snprintf(ret_text, PATH_FACT_SIZE, "file size=%" PRIu64 " mtime=%" PRId64 " inode=%" PRIu64,
		 (uint64_t)st.st_size, mtime_ns(&st), (uint64_t)st.st_ino);
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
