/* See words.h. */
#include "launcher/java/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int words_add_bytes(struct words *words, const char *text, size_t size)
{
	char **grown, *copy;

	if (words->count >= WORDS_MAX)
		return -E2BIG;
	grown = reallocarray(words->items, words->count + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	words->items = grown;
	grown[words->count] = NULL;
	copy = strndup(text, size);
	if (!copy)
		return -ENOMEM;
	grown[words->count++] = copy;
	grown[words->count] = NULL;
	return 0;
}

int words_add(struct words *words, const char *text)
{
	return words_add_bytes(words, text, strlen(text));
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){0};
}

const char *words_env(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}
