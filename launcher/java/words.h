/* A growing list of strings that it owns; NULL-terminated once it has an item. */
#ifndef JSNAP_LAUNCHER_WORDS_H
#define JSNAP_LAUNCHER_WORDS_H

#include <stddef.h>

#define WORDS_MAX 65536u

struct words {
	char **items;
	size_t count;
};

/* Appends a copy. -ENOMEM, or -E2BIG beyond WORDS_MAX. */
int words_add(struct words *words, const char *text);
int words_add_bytes(struct words *words, const char *text, size_t size); /* up to a NUL in it */
void words_free(struct words *words);
#define CLEANUP_WORDS __attribute__((cleanup(words_free)))

/* The value of NAME in an environment, or NULL. */
const char *words_env(char *const *env, const char *name);

#endif
