/* The search for lines of relay.h. */
#include "launcher/warm/relay.h"

#include "base/cleanup.h"

#include <regex.h>
#include <string.h>

struct relay_lines {
	regex_t patterns[RELAY_MAX_PATTERNS];
	bool matched[RELAY_MAX_PATTERNS];
	size_t n_patterns;
	char line[RELAY_MAX_LINE + 1];
	size_t used;
};

void relay_lines_free(struct relay_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; i < lines->n_patterns; i++)
		regfree(&lines->patterns[i]);
	free(lines);
}

struct relay_lines *relay_lines_new(const char *const *patterns, size_t n, struct jsnap_error *err)
{
	struct relay_lines *lines = calloc(1, sizeof(*lines));

	if (!lines || n > RELAY_MAX_PATTERNS) {
		error_set(err, lines ? E2BIG : ENOMEM, "at most %u log:REGEX conditions",
			  RELAY_MAX_PATTERNS);
		free(lines);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		char words[256];
		int rc = regcomp(&lines->patterns[i], patterns[i], REG_EXTENDED | REG_NOSUB);

		if (rc) {
			regerror(rc, &lines->patterns[i], words, sizeof(words));
			error_set(err, EINVAL, "log:%s: %s", patterns[i], words);
			relay_lines_free(lines);
			return NULL;
		}
		lines->n_patterns++;
	}
	return lines;
}

static void search(struct relay_lines *lines, void (*matched)(void *ctx, size_t pattern), void *ctx)
{
	if (lines->used && lines->line[lines->used - 1] == '\r')
		lines->used--;
	lines->line[lines->used] = '\0';
	for (size_t i = 0; i < lines->n_patterns; i++) {
		if (lines->matched[i] || regexec(&lines->patterns[i], lines->line, 0, NULL, 0))
			continue;
		lines->matched[i] = true;
		matched(ctx, i);
	}
	lines->used = 0;
}

void relay_lines_feed(struct relay_lines *lines, const char *data, size_t size,
		      void (*matched)(void *ctx, size_t pattern), void *ctx)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' || lines->used == RELAY_MAX_LINE)
			search(lines, matched, ctx);
		if (data[i] != '\n')
			lines->line[lines->used++] = data[i];
	}
}
