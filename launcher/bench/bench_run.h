/*
 * What the parts of jsnap bench share: the command lines it starts and the state of the page cache
 * that each run is to find.
 */
#ifndef JSNAP_LAUNCHER_BENCH_RUN_H
#define JSNAP_LAUNCHER_BENCH_RUN_H

#include "launcher/bench/bench.h"
#include "launcher/verbs/verb_common.h"
#include "launcher/java/words.h"

#include <limits.h>

struct bench {
	struct start start;
	struct bench_table table;
	size_t kind[BENCH_MAX_VARIANTS];
	struct words words[BENCH_MAX_VARIANTS];
	struct http_url url;
	bool has_url;
	char folder[PATH_MAX - 16], store[PATH_MAX], metrics[PATH_MAX], log[PATH_MAX],
		self[PATH_MAX];
	int null_fd, log_fd;
};

/* `verb` is SCHEMA_VERB_RUN or SCHEMA_VERB_CHECKPOINT. -ENOMEM, or 0. */
int bench_jsnap_words(const struct bench *b, unsigned verb, bool hot_copy, struct words *words);
/* `option` with the archive's path, unless NULL, comes before what the user gave java. */
int bench_java_words(const struct bench *b, const char *option, const char *archive,
		     struct words *words);
/* Image and hot copy are read, or dropped from the page cache, as far as that may be done. */
void bench_set_cache(const struct bench *b, bool drop);

#endif
