/*
 * The words java sees once JDK_JAVA_OPTIONS stands in front and @argfiles are replaced by their
 * words (libjli/args.c): no @ is expanded behind the program's name, behind --disable-@files, or
 * inside a file's words; @@x stands for the word @x.
 */
#ifndef JSNAP_LAUNCHER_JAVA_EXPAND_H
#define JSNAP_LAUNCHER_JAVA_EXPAND_H

#include "base/error.h"
#include "launcher/java/words.h"

#define JAVA_EXPAND_ELSEWHERE (-1)

struct java_words {
	struct words words;
	int *origin; /* for each word its index in argv, or ELSEWHERE: from a file or the variable
		      */
};

/* -EINVAL, -ENOENT, -EFBIG, -E2BIG: java refuses this, or it is beyond our limits; `err` says what.
 */
int java_expand(char *const *argv, int argc, const char *jdk_java_options,
		struct java_words *ret_words, struct jsnap_error *err);
void java_words_free(struct java_words *words);
#define CLEANUP_JAVA_WORDS __attribute__((cleanup(java_words_free)))

#endif
