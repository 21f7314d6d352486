/* See argfile.h. */
#include "launcher/java/argfile.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum state { BETWEEN, COMMENT, WORD, QUOTE, ESCAPE, CONTINUATION };

struct splitter {
	enum state state;
	char quote;
	/* The word so far: `kept` bytes are sure to belong to it, those behind them go when a #
	 * follows. `any` tells an empty word from none. */
	char *word;
	size_t length, kept;
	bool any;
	struct words *words;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\n' || c == '\r';
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static void put(struct splitter *s, char c)
{
	s->word[s->length++] = c;
}

static void keep(struct splitter *s)
{
	s->any |= s->length > s->kept;
	s->kept = s->length;
}

static int end_word(struct splitter *s)
{
	int r = words_add_bytes(s->words, s->word, s->length);

	s->length = s->kept = 0;
	s->any = false;
	s->state = BETWEEN;
	return r;
}

static int in_word(struct splitter *s, char c)
{
	if (is_blank(c))
		return end_word(s);
	if (c == '#') {
		s->length = s->kept;
		s->state = COMMENT;
	} else if (c == '"' || c == '\'') {
		keep(s);
		s->quote = c;
		s->state = QUOTE;
	} else {
		put(s, c);
	}
	return 0;
}

static int in_quote(struct splitter *s, char c)
{
	if (is_line_end(c))
		return end_word(s);
	if (c == s->quote) {
		keep(s);
		s->state = WORD;
	} else if (c == '\\') {
		keep(s);
		s->any = true;
		s->state = ESCAPE;
	} else {
		put(s, c);
	}
	return 0;
}

static void in_escape(struct splitter *s, char c)
{
	static const char from[] = "nrtf", to[] = "\n\r\t\f";
	const char *known = c ? strchr(from, c) : NULL;

	if (is_line_end(c)) {
		s->state = CONTINUATION;
		return;
	}
	put(s, known ? to[known - from] : c);
	keep(s);
	s->state = QUOTE;
}

static int feed(struct splitter *s, char c)
{
	switch (s->state) {
	case COMMENT:
		if (is_line_end(c))
			s->state = BETWEEN;
		return 0;
	case ESCAPE:
		in_escape(s, c);
		return 0;
	case BETWEEN:
		if (is_blank(c))
			return 0;
		s->state = WORD;
		return in_word(s, c);
	case CONTINUATION:
		if (is_blank(c))
			return 0;
		s->state = QUOTE;
		return in_quote(s, c);
	case WORD:
		return in_word(s, c);
	case QUOTE:
		return in_quote(s, c);
	}
	return 0;
}

int argfile_split(const char *text, size_t size, struct words *words)
{
	CLEANUP_FREE char *word = malloc(size + 1);
	struct splitter s = {.word = word, .words = words};
	int r = 0;

	if (!word)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < size; i++)
		r = feed(&s, text[i]);
	if (r == 0 && (s.state == WORD || s.state == QUOTE) && (s.any || s.length))
		r = end_word(&s);
	return r;
}

int argfile_split_variable(const char *text, struct words *words)
{
	CLEANUP_FREE char *word = malloc(strlen(text) + 1);
	int r = 0;

	if (!word)
		return -ENOMEM;
	while (r == 0) {
		size_t length = 0;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		while (*text && !isspace((unsigned char)*text)) {
			char quote = *text;

			if (quote != '"' && quote != '\'') {
				word[length++] = *text++;
				continue;
			}
			for (text++; *text && *text != quote; text++)
				word[length++] = *text;
			if (!*text)
				return -EINVAL;
			text++;
		}
		r = words_add_bytes(words, word, length);
	}
	return r;
}
