/*
 * The forms that values come in: numbers, durations, switches, and the small languages of --ready,
 * --warmup, --listen and K=V. Each function either understands the whole text or returns -EINVAL
 * with the words for what is wrong with it. Outputs are untouched on failure.
 */
#ifndef JSNAP_CONF_FORM_H
#define JSNAP_CONF_FORM_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

int form_bool(const char *text, bool *ret_value, struct jsnap_error *err);
int form_integer(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value,
		 struct jsnap_error *err);
/* "500ms", "1.5s", "2m", "3h", "7d", "0" as nanoseconds; at most 10 years. */
int form_duration(const char *text, uint64_t *ret_ns, struct jsnap_error *err);
/* "4096", "10M", "2G" as bytes. */
int form_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
	      struct jsnap_error *err);

/* "OLD=NEW", two TCP ports. ret_ports may be NULL. */
int form_ports(const char *text, uint16_t ret_ports[2], struct jsnap_error *err);

/* An extended regular expression (regex(7)) that regcomp(3) takes, and in no time. */
int form_regex(const char *text, struct jsnap_error *err);

/* Checks for struct schema_option. */
int form_port_pair(const char *text, struct jsnap_error *err);
int form_assignment(const char *text, struct jsnap_error *err); /* K=V, K a variable's name */
int form_ready(const char *text, struct jsnap_error *err);
int form_warmup(const char *text, struct jsnap_error *err);
int form_variant(const char *text, struct jsnap_error *err); /* of bench */

#endif
