/*
 * See glob.h. A pattern is walked as a set of places where it may stand, one character of the name
 * after the other: time is the product of both lengths, and there is no recursion.
 */
#include "launcher/policy/glob.h"

#include <stddef.h>
#include <string.h>

struct places { /* positions in the pattern, its end included */
	bool at[GLOB_MAX + 1];
};

struct groups { /* of each position: 0 outside of braces, else where its group has ended */
	unsigned short end[GLOB_MAX + 1];
};

/* The character behind a set that begins at `i`, or NULL when it is never closed. */
static const char *set_end(const char *p)
{
	p++;
	if (*p == '!' || *p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p && *p != ']')
		p++;
	return *p ? p + 1 : NULL;
}

static bool in_set(const char *p, char c)
{
	const char *end = set_end(p) - 1;
	bool negated = p[1] == '!' || p[1] == '^', found = false;

	for (p += negated ? 2 : 1; p < end; p++) {
		if (p + 2 < end && p[1] == '-') {
			found |= (unsigned char)p[0] <= (unsigned char)c &&
				 (unsigned char)c <= (unsigned char)p[2];
			p += 2;
		} else {
			found |= *p == c;
		}
	}
	return found != negated && c != '/';
}

bool glob_valid(const char *pattern)
{
	bool open = false;

	if (strlen(pattern) > GLOB_MAX)
		return false;
	for (const char *p = pattern; *p;) {
		if (*p == '[') {
			p = set_end(p);
			if (!p)
				return false;
			continue;
		}
		if ((*p == '{' && open) || (*p == '\\' && !p[1]))
			return false;
		if (*p == '{')
			open = true;
		else if (*p == '}')
			open = false;
		p += *p == '\\' ? 2 : 1;
	}
	return !open;
}

static size_t next_at(const char *pattern, size_t i)
{
	if (pattern[i] == '[')
		return (size_t)(set_end(pattern + i) - pattern);
	return i + (pattern[i] == '\\' ? 2 : 1);
}

/* Only within braces are commas and closing braces special. */
static void mark_groups(const char *pattern, struct groups *groups)
{
	for (size_t i = 0; pattern[i]; i = next_at(pattern, i)) {
		size_t end = i + 1;

		if (pattern[i] != '{')
			continue;
		while (pattern[end] != '}')
			end = next_at(pattern, end);
		for (size_t k = i + 1; k <= end; k = next_at(pattern, k))
			groups->end[k] = (unsigned short)(end + 1);
		i = end;
	}
}

/* Adds every place that is reached from `set` without a character. Places only ever lead forward.
 */
static void reach(const char *pattern, const struct groups *groups, struct places *set)
{
	for (size_t i = 0; pattern[i]; i++) {
		if (!set->at[i])
			continue;
		if (pattern[i] == '*') {
			set->at[i + 1] = true;
			if (pattern[i + 1] == '*')
				set->at[i + 2] = true;
		} else if (pattern[i] == '{') {
			set->at[i + 1] = true;
			for (size_t k = i + 1; pattern[k] != '}'; k = next_at(pattern, k))
				if (pattern[k] == ',')
					set->at[k + 1] = true;
		} else if (groups->end[i] && (pattern[i] == ',' || pattern[i] == '}')) {
			set->at[groups->end[i]] = true;
		}
	}
}

static void step(const char *pattern, const struct groups *groups, const struct places *from,
		 char c, struct places *to)
{
	memset(to, 0, sizeof(*to));
	for (size_t i = 0; pattern[i]; i++) {
		if (!from->at[i])
			continue;
		switch (pattern[i]) {
		case '*':
			if (pattern[i + 1] == '*' || c != '/')
				to->at[i] = true;
			break;
		case '?':
			if (c != '/')
				to->at[i + 1] = true;
			break;
		case '[':
			if (in_set(pattern + i, c))
				to->at[next_at(pattern, i)] = true;
			break;
		case '\\':
			if (pattern[i + 1] == c)
				to->at[i + 2] = true;
			break;
		case '{':
			break;
		default:
			if (groups->end[i] && (pattern[i] == ',' || pattern[i] == '}'))
				break;
			if (pattern[i] == c)
				to->at[i + 1] = true;
		}
	}
}

bool glob_match(const char *pattern, const char *name)
{
	struct groups groups = {0};
	struct places sets[2] = {0};
	unsigned now = 0;

	if (!glob_valid(pattern))
		return false;
	mark_groups(pattern, &groups);
	sets[0].at[0] = true;
	reach(pattern, &groups, &sets[0]);
	for (; *name; name++, now ^= 1) {
		step(pattern, &groups, &sets[now], *name, &sets[now ^ 1]);
		reach(pattern, &groups, &sets[now ^ 1]);
	}
	return sets[now].at[strlen(pattern)];
}
