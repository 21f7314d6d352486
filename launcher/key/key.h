/*
 * When is a snapshot the one that is asked for, and is it still true? Two sets of facts:
 *
 *  - the key: what the user asked for (JDK folder, JVM options, class path, program, arguments,
 *    working folder, labels, CPU policy, the variables java reads, uid). Another key is another
 *    snapshot beside the first.
 *  - the content facts: what these names stood for when the snapshot was taken (size, time and
 * inode of each class path file, identity of the JDK). A difference makes the
 * snapshot stale: the next run starts cold and replaces it.
 *
 * key_collect looks at the file system once; everything after it is pure, so that the decision is a
 * function of facts that a test can feed; but where only a file's time or inode is another, its
 * content is asked (path_fact.h). Facts travel in the image as notes "fact.NAME".
 *
 * A folder on the class path is reduced to the number of files below it, their bytes and the newest
 * modification time of a file or folder (symbolic links are not followed below it), at most
 * KEY_MAX_FOLDER_FILES of them: a larger one is never taken as unchanged, and the command gets no
 * snapshot.
 */
#ifndef JSNAP_LAUNCHER_KEY_H
#define JSNAP_LAUNCHER_KEY_H

#include "base/error.h"
#include "image/manifest.h"
#include "launcher/java/java_command.h"
#include "launcher/options/settings.h"

#include <stdbool.h>
#include <stddef.h>

#define KEY_HEX_SIZE	     33 /* 32 hexadecimal digits and NUL */
#define KEY_MAX_FOLDER_FILES 20000u
#define KEY_MAX_FACTS	     8192u

struct key_fact {
	char *name;  /* "path:/srv/app.jar", "jdk" */
	char *value; /* "file size=1234 mtime=... inode=...", "folder files=3 size=99 newest=...",
			"missing", "17.0.15 Debian" */
};

struct key_facts {
	char key[KEY_HEX_SIZE];
	char *name;	/* java_command.name, fit for a file name (store.h) */
	char *question; /* the canonical text that was hashed, for `inspect` and debugging */
	struct key_fact *facts;
	size_t n_facts;
};

/* Collects; `cwd` is absolute, `env` the environment java would get. -E2BIG: a folder of the class
 * path has too many files, or there are too many facts (the caller starts cold with that reason).
 */
int key_collect(const struct settings *settings, const struct java_command *command,
		const char *cwd, char *const *env, struct key_facts *ret_facts,
		struct jsnap_error *err);
void key_facts_free(struct key_facts *facts);
#define CLEANUP_KEY_FACTS __attribute__((cleanup(key_facts_free)))

/* The absolute path that a fact is about, within it, or NULL: it is about something else. */
const char *key_fact_path(const struct key_fact *fact);

/* Puts the facts into a manifest as notes: "key", "name", "question" and "fact.NAME". */
int key_store(const struct key_facts *facts, struct manifest *m, struct jsnap_error *err);

/*
 * 0 when the snapshot is true today. 1 when it is not, and `reason` says the first difference
 * in words: "app.jar changed (size 1234 -> 1300)", "lib.jar is new on the class path".
 */
int key_compare(const struct manifest *m, const struct key_facts *today, char *reason, size_t size);

/* Whether the file was known when the snapshot was taken and holds now what it held then, whatever
 * its time and inode. */
bool key_vouches(const struct manifest *m, const char *path);

/*
 * The same without the command line that it belongs to, for prune and verify: looks at the files
 * and folders that the manifest's facts name. An image of `jsnap dump` has
 * no facts and is always true.
 */
int key_recheck(const struct manifest *m, char *reason, size_t size);

#endif
