/* argfile_split takes any bytes; what it gives, quoted again, splits into the same words. */
#include "launcher/java/argfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each word in double quotes with every special character escaped, one in a line. */
static char *quote(const struct words *words)
{
	size_t size = 1, n = 0;
	char *text;

	for (size_t i = 0; i < words->count; i++)
		size += 2 * strlen(words->items[i]) + 3;
	text = malloc(size);
	if (!text)
		abort();
	for (size_t i = 0; i < words->count; i++) {
		text[n++] = '"';
		for (const char *p = words->items[i]; *p; p++) {
			static const char plain[] = "\n\r\t\f\"\\", code[] = "nrtf\"\\";
			const char *special = strchr(plain, *p);

			if (special)
				text[n++] = '\\';
			text[n++] = special ? code[special - plain] : *p;
		}
		text[n++] = '"';
		text[n++] = '\n';
	}
	text[n] = '\0';
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct words words = {0}, again = {0};
	char *text = NULL;

	if (argfile_split((const char *)data, size, &words) == 0) {
		text = quote(&words);
		if (argfile_split(text, strlen(text), &again) < 0 || again.count != words.count)
			abort();
		for (size_t i = 0; i < words.count; i++)
			if (strcmp(words.items[i], again.items[i]) != 0)
				abort();
	}
	free(text);
	words_free(&words);
	words_free(&again);
	return 0;
}
