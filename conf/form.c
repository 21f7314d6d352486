/* See form.h. */
#include "conf/form.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S     1000000000ull
#define MAX_DURATION (10ull * 366 * 86400 * NS_PER_S)

int form_bool(const char *text, bool *ret_value, struct jsnap_error *err)
{
	static const char *const words[][2] = {
		{"on", "off"}, {"true", "false"}, {"yes", "no"}, {"1", "0"}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (int off = 0; off < 2; off++) {
			if (strcasecmp(text, words[i][off]) == 0) {
				*ret_value = !off;
				return 0;
			}
		}
	}
	return error_set(err, EINVAL, "\"%s\" is neither on nor off", text);
}

/* Digits at *text, moving it behind them; -ERANGE on overflow, -EINVAL without a digit. */
static int digits(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*text = p;
	*ret_value = value;
	return 0;
}

static int out_of_range(const char *text, uint64_t min, uint64_t max, struct jsnap_error *err)
{
	return error_set(err, EINVAL, "\"%s\" is not between %llu and %llu", text,
			 (unsigned long long)min, (unsigned long long)max);
}

int form_integer(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value,
		 struct jsnap_error *err)
{
	const char *p = text;
	uint64_t value = 0;
	int r = digits(&p, &value);

	if (r == -EINVAL || (r == 0 && *p))
		return error_set(err, EINVAL, "\"%s\" is not a whole number", text);
	if (r < 0 || value < min || value > max)
		return out_of_range(text, min, max, err);
	*ret_value = value;
	return 0;
}

int form_duration(const char *text, uint64_t *ret_ns, struct jsnap_error *err)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"ms", 1000000},
		     {"s", NS_PER_S},
		     {"m", 60 * NS_PER_S},
		     {"h", 3600 * NS_PER_S},
		     {"d", 86400 * NS_PER_S}};
	char *end;
	double value;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	/* strtod alone would take "inf", "0x1p3" and blanks */
	if (strspn(text, "0123456789.") == 0 || strspn(text, "0123456789.") > 20)
		return error_set(err, EINVAL, "\"%s\" is not a duration such as 500ms, 2s or 1m",
				 text);
	value = strtod(text, &end);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (value * (double)units[i].ns > (double)MAX_DURATION)
			return error_set(err, EINVAL, "\"%s\" is longer than ten years", text);
		*ret_ns = (uint64_t)(value * (double)units[i].ns);
		return 0;
	}
	return error_set(err, EINVAL,
			 "\"%s\" is not a duration: a number and its unit, ms, s, m, h or d", text);
}

int form_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
	      struct jsnap_error *err)
{
	static const char units[] = "KMGT";
	const char *p = text, *unit;
	uint64_t value = 0;
	int r = digits(&p, &value), shift = 0;

	if (r == 0 && *p && (unit = strchr(units, toupper((unsigned char)*p)))) {
		shift = 10 * (int)(unit - units + 1);
		p++;
	}
	if (r == -EINVAL || (r == 0 && *p))
		return error_set(err, EINVAL, "\"%s\" is not a size such as 500M or 2G", text);
	if (r < 0 || value > (UINT64_MAX >> shift) || (value << shift) < min ||
	    (value << shift) > max)
		return out_of_range(text, min, max, err);
	*ret_bytes = value << shift;
	return 0;
}

int form_ports(const char *text, uint16_t ret_ports[2], struct jsnap_error *err)
{
	const char *p = text;
	uint64_t old_port = 0, new_port = 0;

	if (digits(&p, &old_port) < 0 || *p++ != '=' || digits(&p, &new_port) < 0 || *p)
		return error_set(err, EINVAL, "\"%s\" is not OLD=NEW, two port numbers", text);
	if (old_port < 1 || old_port > 65535 || new_port < 1 || new_port > 65535)
		return error_set(err, EINVAL, "\"%s\": a port is between 1 and 65535", text);
	if (ret_ports) {
		ret_ports[0] = (uint16_t)old_port;
		ret_ports[1] = (uint16_t)new_port;
	}
	return 0;
}

int form_port_pair(const char *text, struct jsnap_error *err)
{
	return form_ports(text, NULL, err);
}

int form_assignment(const char *text, struct jsnap_error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return error_set(err, EINVAL, "\"%s\" is not NAME=VALUE", text);
	return 0;
}

/* What is left behind `prefix`, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* http://HOST[:PORT][/...]: https would need a TLS library, which jsnap does without. */
static int form_url(const char *text, struct jsnap_error *err)
{
	const char *host = behind(text, "http://");

	if (behind(text, "https://"))
		return error_set(err, EINVAL,
				 "\"%s\": jsnap speaks http only; use exec:curl ... for https",
				 text);
	if (!host || !*host || *host == '/' || *host == ':')
		return error_set(err, EINVAL, "\"%s\" is not http://HOST[:PORT][/PATH]", text);
	return 0;
}

#define REGEX_WEIGHT_MAX 1000u
#define REGEX_DEPTH_MAX	 32u
#define REGEX_NESTED_MAX 6u
#define REGEX_LEVELS_MAX 4u

/* The end of a bracket expression that starts at `p`: a ] that comes first is meant as itself. */
static const char *skip_bracket(const char *p)
{
	p++;
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p && *p != ']')
		p++;
	return *p ? p + 1 : p;
}

/* How often what stands before is written out by glibc's regcomp(3), which copies it: x+ twice,
 * x{2,9} nine times. Moves *p past the repetition. */
static uint64_t repetition(const char **p)
{
	unsigned long low, high;
	char *end;

	if (**p != '{')
		return *(*p)++ == '+' ? 2 : 1;
	low = high = strtoul(*p + 1, &end, 10);
	if (*end == ',')
		high = strtoul(end + 1, &end, 10);
	*p = *end == '}' ? end + 1 : *p + 1;
	return (high > low ? high : low) + 1;
}

/*
 * What glibc's regcomp(3) costs: the nodes of the expression when its repetitions are written out,
 * as far as REGEX_WEIGHT_MAX; four times that for each copy of what has a repetition already, (a*)+
 * or a*+, which with an anchor beside them take it from milliseconds to minutes. So do more than
 * REGEX_LEVELS_MAX levels of repetitions in each other, of any kind.
 */
static uint64_t regex_weight(const char *p)
{
	uint64_t sums[REGEX_DEPTH_MAX] = {0}, last = 0;
	unsigned levels[REGEX_DEPTH_MAX] = {0}, level = 0; /* of the group; of `last` */
	unsigned depth = 0, nested = 0;

	while (*p) {
		if (strchr("+*?{", *p)) {
			uint64_t times = repetition(&p);

			nested += level && times > 1;
			if (++level > REGEX_LEVELS_MAX)
				return REGEX_WEIGHT_MAX + 1;
			if (last && times > REGEX_WEIGHT_MAX / last)
				return REGEX_WEIGHT_MAX + 1;
			last *= times;
			continue;
		}
		if (*p == ')' && depth) {
			level = levels[depth] > level ? levels[depth] : level;
			last += sums[depth--];
			p++;
		} else {
			sums[depth] += last;
			levels[depth] = level > levels[depth] ? level : levels[depth];
			level = 0;
			last = *p != '(';
			if (*p == '(' && ++depth == REGEX_DEPTH_MAX)
				return REGEX_WEIGHT_MAX + 1;
			if (*p == '(')
				sums[depth] = levels[depth] = 0;
			p = *p == '[' ? skip_bracket(p) : p + (*p == '\\' && p[1] ? 2 : 1);
		}
		if (sums[depth] + last > REGEX_WEIGHT_MAX)
			return REGEX_WEIGHT_MAX + 1;
	}
	while (depth)
		last += sums[depth--];
	return nested > REGEX_NESTED_MAX ? REGEX_WEIGHT_MAX + 1 : (sums[0] + last) << 2 * nested;
}

int form_regex(const char *text, struct jsnap_error *err)
{
	char why[128];
	regex_t regex;
	int r;

	if (regex_weight(text) > REGEX_WEIGHT_MAX)
		return error_set(err, EINVAL, "%.64s: its repetitions make it too large", text);
	r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &regex, why, sizeof(why));
		return error_set(err, EINVAL, "%s: %s", text, why);
	}
	regfree(&regex);
	return 0;
}

int form_ready(const char *text, struct jsnap_error *err)
{
	const char *rest;
	uint64_t port;

	if (strcmp(text, "auto") == 0 || strcmp(text, "api") == 0)
		return 0;
	if ((rest = behind(text, "tcp:")))
		return form_integer(rest, 1, 65535, &port, err);
	if (behind(text, "http"))
		return form_url(text, err);
	if ((rest = behind(text, "log:")) && *rest)
		return form_regex(rest, err) < 0 ? error_context(err, "log") : 0;
	if (((rest = behind(text, "file:")) || (rest = behind(text, "exec:"))) && *rest)
		return 0;
	return error_set(err, EINVAL,
			 "\"%s\" is not auto, tcp:PORT, http://..., log:REGEX, file:PATH, exec:CMD "
			 "or api",
			 text);
}

int form_warmup(const char *text, struct jsnap_error *err)
{
	const char *command = behind(text, "exec:");

	if (command && *command)
		return 0;
	if (behind(text, "http"))
		return form_url(text, err);
	return error_set(err, EINVAL, "\"%s\" is neither http://... nor exec:CMD", text);
}

int form_variant(const char *text, struct jsnap_error *err)
{
	static const char *const names[] = {"java", "appcds", "aot", "hot", "zstd", "dropped"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], text) == 0)
			return 0;
	return error_set(err, EINVAL, "\"%s\" is none of java, appcds, aot, hot, zstd, dropped",
			 text);
}
