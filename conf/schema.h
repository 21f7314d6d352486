/*
 * Every option of jsnap, once. Command line, --help, ini files, JSNAP_* variables, --print-config,
 * the sample jsnap.ini, man page and completions are all read from this table.
 *
 * Invariants (tests/unit/test_conf.c): names, variables and section+key are unique; a default is a
 * value the option accepts; everything that may stand in an ini file has a variable too.
 */
#ifndef JSNAP_CONF_SCHEMA_H
#define JSNAP_CONF_SCHEMA_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_id {
	/* where snapshots are */
	SCHEMA_STORE,
	SCHEMA_IMAGE,
	SCHEMA_LABEL,
	SCHEMA_HOT_COPY,
	SCHEMA_IMAGE_KEY,
	SCHEMA_PROTECT,
	SCHEMA_ENCRYPTED_HOT_COPY,
	SCHEMA_FD_POLICY,
	SCHEMA_FD_POLICIES,
	/* when it is ready and what warms it */
	SCHEMA_READY,
	SCHEMA_WARMUP,
	SCHEMA_WARMUP_REQUESTS,
	SCHEMA_WARMUP_TIME,
	SCHEMA_WARMUP_STEADY,
	SCHEMA_TIMEOUT,
	/* what else runs then */
	SCHEMA_BEFORE_CHECKPOINT,
	SCHEMA_AFTER_RESTORE,
	SCHEMA_HOOK_TIMEOUT,
	/* how it comes back */
	SCHEMA_ON_RESTORE_FAILURE,
	SCHEMA_TIDS,
	SCHEMA_FIRST_TID,
	SCHEMA_WALK_BUDGET,
	SCHEMA_LSM,
	SCHEMA_CPU,
	SCHEMA_PROBATION,
	SCHEMA_SCRUB_NATIVE,
	SCHEMA_LISTEN,
	SCHEMA_SET_ENV,
	SCHEMA_ENV_REFRESH,
	SCHEMA_SET_PROPERTY,
	SCHEMA_RESEED,
	SCHEMA_CATCH_UP,
	/* of single verbs */
	SCHEMA_NO_CHECKPOINT,
	SCHEMA_NO_RESTORE,
	SCHEMA_KEEP_RUNNING,
	SCHEMA_PID,
	SCHEMA_LEAVE_RUNNING,
	SCHEMA_JSON,
	SCHEMA_FIND,
	SCHEMA_UNIQUENESS,
	SCHEMA_OLDER_THAN,
	SCHEMA_LARGER_THAN,
	SCHEMA_STALE,
	SCHEMA_ALL,
	SCHEMA_DRY_RUN,
	SCHEMA_RUNS,
	SCHEMA_WARMUP_RUNS,
	SCHEMA_VARIANT,
	SCHEMA_EXPORT_JSON,
	SCHEMA_EXPORT_SVG,
	/* what it says */
	SCHEMA_LOG_FORMAT,
	SCHEMA_LOG_LEVEL,
	SCHEMA_QUIET,
	SCHEMA_METRICS,
	/* of the command line itself */
	SCHEMA_CONFIG,
	SCHEMA_PRINT_CONFIG,
	SCHEMA_HELP,
	SCHEMA_VERSION,
	SCHEMA_COUNT,
};

enum schema_kind {
	SCHEMA_STRING,
	SCHEMA_BOOL, /* on, off; also true, false, yes, no, 1, 0 */
	SCHEMA_FLAG, /* a SCHEMA_BOOL that is on when named without a value on the command line */
	SCHEMA_ENUM, /* one of `values` */
	SCHEMA_DURATION, /* 500ms, 2s, 1m, 3h, 7d; a bare 0 */
	SCHEMA_INTEGER,	 /* decimal, min..max */
	SCHEMA_SIZE,	 /* bytes with an optional K, M, G, T (powers of 1024), min..max */
	SCHEMA_LIST,	 /* repeatable strings; a higher source replaces the whole list */
};

enum schema_verb_bit {
	SCHEMA_VERB_RUN = 1 << 0,
	SCHEMA_VERB_CHECKPOINT = 1 << 1,
	SCHEMA_VERB_RESTORE = 1 << 2,
	SCHEMA_VERB_LIST = 1 << 3,
	SCHEMA_VERB_INSPECT = 1 << 4,
	SCHEMA_VERB_VERIFY = 1 << 5,
	SCHEMA_VERB_PRUNE = 1 << 6,
	SCHEMA_VERB_DOCTOR = 1 << 7,
	SCHEMA_VERB_DUMP = 1 << 8,
	SCHEMA_VERB_BENCH = 1 << 10,
	SCHEMA_VERB_NONE = 1 << 9, /* `jsnap --option` without a verb */
	SCHEMA_VERB_ALL = (1 << 11) - 1,
};

struct schema_verb {
	const char *name;
	unsigned bit;
	bool takes_java;      /* its operands are a java command line */
	const char *operands; /* for the usage line */
	const char *summary;  /* one line */
};

struct schema_option {
	const char *name;	   /* without the dashes */
	const char *section, *key; /* of the ini file; NULL: command line only */
	const char *variable;	   /* JSNAP_...; NULL: none */
	enum schema_kind kind;
	unsigned verbs;		      /* bits of the verbs that take it */
	const char *fallback;	      /* default; "" when there is none */
	const char *restore_fallback; /* default of the verb restore where it differs, or NULL */
	const char *metavar;	      /* "DIR"; NULL for flags */
	const char *help;	      /* a sentence or two, without the default */
	const char *const *values;    /* SCHEMA_ENUM, NULL-terminated */
	const char *const *forms;     /* how a string or item may begin, for completions; or NULL */
	uint64_t min, max;	      /* SCHEMA_INTEGER and SCHEMA_SIZE */
	/* The form of a string or list item: NULL, or 0/-EINVAL with the words for it. */
	int (*check)(const char *text, struct jsnap_error *err);
};

struct schema_section {
	const char *name;
	const char *title; /* heading in --help and jsnap.ini */
};

extern const struct schema_option schema_options[SCHEMA_COUNT];
extern const struct schema_verb schema_verbs[];	      /* ends with name NULL */
extern const struct schema_section schema_sections[]; /* ends with name NULL */

/* NULL when there is none of that name. */
const struct schema_option *schema_find_option(const char *name, size_t length);
const struct schema_verb *schema_find_verb(const char *name);

#endif
