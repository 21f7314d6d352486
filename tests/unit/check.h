/* The unit tests' whole vocabulary: a failed check prints both values and the test exits 1. */
#ifndef JSNAP_TESTS_UNIT_CHECK_H
#define JSNAP_TESTS_UNIT_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)                                                                        \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

#define CHECK_EQ(a, b)                                                                            \
	do {                                                                                      \
		intmax_t a_ = (intmax_t)(a), b_ = (intmax_t)(b);                                  \
		if (a_ != b_) {                                                                   \
			fprintf(stderr, "%s:%d: failed: %s == %s (%" PRIdMAX ", %" PRIdMAX ")\n", \
				__FILE__, __LINE__, #a, #b, a_, b_);                              \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

#define CHECK_STR(a, b)                                                                         \
	do {                                                                                    \
		const char *a_ = (a), *b_ = (b);                                                \
		if (!a_ || !b_ || strcmp(a_, b_) != 0) {                                        \
			fprintf(stderr, "%s:%d: failed: %s == %s (\"%s\", \"%s\")\n", __FILE__, \
				__LINE__, #a, #b, a_ ? a_ : "(null)", b_ ? b_ : "(null)");      \
			exit(1);                                                                \
		}                                                                               \
	} while (0)

#endif
