/*
 * What the user asked for, resolved and typed: the command line, JSNAP_* variables and the ini
 * files laid over each other as conf/schema.h says, plus the words that are not jsnap's.
 *
 * Invariant: values are in range and enums valid; nothing here is looked up a second time
 * elsewhere. Strings and arrays are owned by the settings and live until settings_free.
 */
#ifndef JSNAP_LAUNCHER_SETTINGS_H
#define JSNAP_LAUNCHER_SETTINGS_H

#include "base/error.h"
#include "launcher/policy/fd_policy.h"
#include "restore/restore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct conf_values;
struct schema_verb;

enum settings_action { /* what main does with a parsed command line */
		       SETTINGS_RUN_VERB,
		       SETTINGS_HELP,	      /* --help, help [VERB]: settings_write_help */
		       SETTINGS_VERSION,      /* --version */
		       SETTINGS_PRINT_CONFIG, /* --print-config: settings_write_config */
};

enum protect_policy { PROTECT_AUTO, PROTECT_OFF, PROTECT_SIGN, PROTECT_ENCRYPT };
enum failure_policy { FAILURE_COLD, FAILURE_FAIL };
enum lsm_policy { LSM_KEEP, LSM_IGNORE };
enum cpu_policy { CPU_NATIVE, CPU_X86_64_V2, CPU_X86_64_V3, CPU_X86_64_V4 };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct settings {
	enum settings_action action;
	const char *verb; /* "run" ...; NULL when there was none (jsnap --help) */

	const char *store;	  /* --store as given; NULL: the default folder, see store.h */
	const char *image;	  /* --image; NULL: use the store */
	const char *const *ready; /* --ready, at least one, as written and checked for form: "auto",
				     "tcp:8080", "http://...", "log:REGEX", ... All must hold */
	size_t n_ready;
	const char *const *warmup; /* "http://..." or "exec:CMD" */
	size_t n_warmup;
	uint64_t warmup_requests;	      /* for each URL; 0 allowed */
	uint64_t warmup_time_ns;	      /* upper bound of the whole warm-up; 0: none */
	bool warmup_steady;		      /* go on until it has levelled off */
	const char *const *before_checkpoint; /* as warmup */
	size_t n_before_checkpoint;
	const char *const *after_restore;
	size_t n_after_restore;
	uint64_t hook_timeout_ns;		/* of each hook, and of all resources; 0: none */
	enum failure_policy on_restore_failure; /* its default depends on the verb */
	enum tids_way tids;
	pid_t first_tid;	 /* 0: as it comes */
	uint64_t walk_budget_ns; /* of TIDS_WALK */
	enum lsm_policy lsm;
	enum cpu_policy cpu;
	uint64_t probation_ns;
	bool scrub_native;
	const uint16_t (*listen_map)[2]; /* {old port, new port}, as restore_options.listen_map */
	size_t n_listen_map;
	const char *const *set_env; /* "K=V" */
	size_t n_set_env;
	const char *const *set_property; /* "NAME=VALUE" */
	size_t n_set_property;
	bool env_refresh;
	bool reseed;		   /* random state that two restores would share */
	bool catch_up;		   /* periodic tasks make up for the time asleep */
	const char *const *labels; /* "K=V", in the order given */
	size_t n_labels;
	bool hot_copy;
	bool encrypted_hot_copy;     /* of encrypted images too */
	const char *image_key;	     /* file, or NULL */
	enum protect_policy protect; /* least protection of images, and that of new ones */
	struct fd_policy
		fd_policy;	/* --fd-policy and the rules of --fd-policies; without defaults */
	bool fd_policies_given; /* --fd-policies: java's property does not count */
	bool no_checkpoint, no_restore;
	bool keep_running;   /* checkpoint */
	bool leave_running;  /* dump */
	uint64_t timeout_ns; /* until ready and warm; 0: none */
	enum log_format log_format;
	enum log_level log_level;
	bool quiet;
	const char *metrics;	 /* file, or NULL */
	bool json;		 /* inspect, list, verify, doctor */
	pid_t pid;		 /* dump, checkpoint; 0 when not given */
	const char *const *find; /* inspect */
	size_t n_find;
	uint64_t older_than_ns, larger_than; /* prune: age; total bytes to keep; 0: not given */
	uint64_t runs, warmup_runs;	     /* bench */
	const char *const *variants;
	size_t n_variants;
	const char *export_json, *export_svg;
	bool uniqueness;	  /* verify */
	bool stale, all, dry_run; /* prune */

	/* The rest of the command line, NULL-terminated: for run and checkpoint the java part,
	 * unchanged (java_command_parse), for restore KEY, FILE or - (goes
	 * before `image`; at least one of them is there), for the others operands. */
	char **argv;
	int argc;
	/* restore: the words behind the second `--`, NULL when there was none. */
	char **args;
	int n_args;

	struct conf_values *values; /* where each value came from; for settings_write_config */
	const struct schema_verb *schema_verb;
};

/*
 * Parses argv, reads JSNAP_* from environ and the ini files. *ret_settings is untouched on failure.
 * -EINVAL and others name the option, variable or FILE:LINE, and the nearest name when one is
 * unknown.
 */
int settings_load(int argc, char **argv, struct settings *ret_settings, struct jsnap_error *err);
void settings_free(struct settings *settings);
#define CLEANUP_SETTINGS __attribute__((cleanup(settings_free)))

/* Help of settings->verb, or of jsnap when it is NULL. */
void settings_write_help(const struct settings *settings, FILE *out);
/* Every option with its value and where it came from. */
void settings_write_config(const struct settings *settings, FILE *out);

#endif
