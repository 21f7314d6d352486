/* See text.h. */
#include "proc/text.h"

int text_bad_line(struct jsnap_error *err, int code, const char *what, size_t number,
		  struct text line, const char *why)
{
	char shown[161];
	size_t size = (size_t)(line.end - line.p);
	size_t n = size < sizeof(shown) - 1 ? size : sizeof(shown) - 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		shown[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	shown[n] = '\0';
	return error_set(err, code, "%s, line %zu: %s: '%s'%s", what, number, why, shown,
			 n < size ? "..." : "");
}
