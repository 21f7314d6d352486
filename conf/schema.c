/* See schema.h. */
#include "conf/schema.h"

#include "conf/form.h"

#include <string.h>

#define RUN	   SCHEMA_VERB_RUN
#define CHECKPOINT SCHEMA_VERB_CHECKPOINT
#define RESTORE	   SCHEMA_VERB_RESTORE
#define BENCH	   SCHEMA_VERB_BENCH
#define START	   (RUN | CHECKPOINT | RESTORE | BENCH)
#define STORE	   (SCHEMA_VERB_LIST | SCHEMA_VERB_INSPECT | SCHEMA_VERB_VERIFY | SCHEMA_VERB_PRUNE)
#define DUMP	   SCHEMA_VERB_DUMP
#define ALL	   SCHEMA_VERB_ALL

static const char *const failure_values[] = {"cold", "fail", NULL};
static const char *const tids_values[] = {"auto", "clone3", "userns", "ns-last-pid", "walk", NULL};
static const char *const protect_values[] = {"auto", "off", "sign", "encrypt", NULL};
static const char *const lsm_values[] = {"keep", "ignore", NULL};
static const char *const cpu_values[] = {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4", NULL};
static const char *const format_values[] = {"text", "json", NULL};
static const char *const ready_forms[] = {
	"auto", "tcp:", "http://", "log:", "file:", "exec:", "api", NULL};
static const char *const warmup_forms[] = {"http://", "exec:", NULL};
static const char *const level_values[] = {"error", "warn", "info", "debug", NULL};

const struct schema_section schema_sections[] = {
	{"store", "Where snapshots are, and which is meant"},
	{"warmup", "When the application is ready, and what warms it"},
	{"files", "What becomes of open files and connections"},
	{"hooks", "What else runs before a snapshot and after a restore"},
	{"restore", "How it comes back"},
	{"run", "What this verb does and leaves"},
	{"log", "What jsnap says"},
	{NULL, NULL},
};

const struct schema_verb schema_verbs[] = {
	{"run", RUN, true, "[java options] app.jar [args]",
	 "Restore the program when it has a valid snapshot; else start it cold, warm it, take a "
	 "snapshot in the background and go on."},
	{"checkpoint", CHECKPOINT, true, "[java options] app.jar [args]",
	 "Start the program, warm it, take a snapshot, end it."},
	{"restore", RESTORE, false, "[KEY | FILE | -] [-- args]",
	 "Restore one snapshot, or fail; - reads the image from standard input."},
	{"list", SCHEMA_VERB_LIST, false, "", "List the snapshots of the store."},
	{"inspect", SCHEMA_VERB_INSPECT, false, "KEY | FILE | -",
	 "Show one snapshot in full, or look for a text in it; - reads the image from standard "
	 "input."},
	{"verify", SCHEMA_VERB_VERIFY, false, "[KEY | FILE | -]...",
	 "Check every byte of a snapshot (of all, without operand) and whether it would restore "
	 "here."},
	{"prune", SCHEMA_VERB_PRUNE, false, "[KEY]...",
	 "Remove snapshots by age, size or staleness, or those named."},
	{"doctor", SCHEMA_VERB_DOCTOR, false, "",
	 "Tell what this machine or container allows, and what would allow more."},
	{"bench", BENCH, true, "[java options] app.jar [args]",
	 "Measure cold start against restore, by turns, with spread and memory."},
	{"dump", DUMP, false, "",
	 "Plumbing: take a snapshot of any single-process program, without a JVM or agent."},
	{NULL, 0, false, NULL, NULL},
};

const struct schema_option schema_options[SCHEMA_COUNT] = {
	[SCHEMA_STORE] = {.name = "store",
			  .section = "store",
			  .key = "dir",
			  .variable = "JSNAP_STORE",
			  .kind = SCHEMA_STRING,
			  .verbs = ALL,
			  .fallback = "",
			  .metavar = "DIR",
			  .help = "Folder of the snapshots. Without it $XDG_CACHE_HOME/jsnap, else "
				  "~/.cache/jsnap."},
	[SCHEMA_IMAGE] = {.name = "image",
			  .section = "store",
			  .key = "image",
			  .variable = "JSNAP_IMAGE",
			  .kind = SCHEMA_STRING,
			  .verbs = START | DUMP,
			  .fallback = "",
			  .metavar = "FILE",
			  .help = "Use exactly this image file instead of the store."},
	[SCHEMA_LABEL] =
		{.name = "label",
		 .section = "store",
		 .key = "label",
		 .variable = "JSNAP_LABEL",
		 .kind = SCHEMA_LIST,
		 .verbs = START,
		 .fallback = "",
		 .metavar = "K=V",
		 .help = "A part of the snapshot's key: another label is another snapshot. "
			 "Repeatable.",
		 .check = form_assignment},
	[SCHEMA_HOT_COPY] = {.name = "hot-copy",
			     .section = "store",
			     .key = "hot-copy",
			     .variable = "JSNAP_HOT_COPY",
			     .kind = SCHEMA_BOOL,
			     .verbs = START,
			     .fallback = "on",
			     .metavar = "on|off",
			     .help = "Keep the uncompressed local copy that makes restores fast."},
	[SCHEMA_IMAGE_KEY] =
		{.name = "image-key",
		 .section = "store",
		 .key = "image-key",
		 .variable = "JSNAP_IMAGE_KEY",
		 .kind = SCHEMA_STRING,
		 .verbs = START | STORE | DUMP,
		 .fallback = "",
		 .metavar = "FILE",
		 .help = "Key that images are signed or encrypted with: 32 bytes or 64 "
			 "hexadecimal digits, in a file that nobody else may read."},
	[SCHEMA_PROTECT] =
		{.name = "protect",
		 .section = "store",
		 .key = "protect",
		 .variable = "JSNAP_PROTECT",
		 .kind = SCHEMA_ENUM,
		 .verbs = START | STORE | DUMP,
		 .fallback = "auto",
		 .metavar = "auto|off|sign|encrypt",
		 .help = "How new images are protected by the key, and what others must have at "
			 "least to be used; auto: sign when there is a key. A snapshot with less, "
			 "or with another key, is refused before it is read.",
		 .values = protect_values},
	[SCHEMA_ENCRYPTED_HOT_COPY] =
		{.name = "encrypted-hot-copy",
		 .section = "store",
		 .key = "encrypted-hot-copy",
		 .variable = "JSNAP_ENCRYPTED_HOT_COPY",
		 .kind = SCHEMA_BOOL,
		 .verbs = START | SCHEMA_VERB_VERIFY,
		 .fallback = "off",
		 .metavar = "on|off",
		 .help = "Keep that local copy, which is not encrypted, of encrypted images too."},

	[SCHEMA_FD_POLICY] =
		{.name = "fd-policy",
		 .section = "files",
		 .key = "policy",
		 .variable = "JSNAP_FD_POLICY",
		 .kind = SCHEMA_LIST,
		 .verbs = RUN | CHECKPOINT | DUMP,
		 .fallback = "",
		 .metavar = "KIND[:PATTERN]=ACTION",
		 .help = "What becomes of an open file or socket: KIND is file, pipe, tcp, listen, "
			 "udp, unix, other or fd; PATTERN a glob of its path, its HOST:PORT, or "
			 "the "
			 "number of an fd; ACTION carry, end (as closed by the other side), "
			 "reopen, "
			 "keep (with its contents), close or error. Repeatable: the first that "
			 "fits counts. Without one that "
			 "fits, run and checkpoint end connections and pipes to other processes, "
			 "and dump refuses them. The files of the JDK and the class path are meant "
			 "only where a rule names one in full."},
	[SCHEMA_FD_POLICIES] =
		{.name = "fd-policies",
		 .section = "files",
		 .key = "policies-file",
		 .variable = "JSNAP_FD_POLICIES",
		 .kind = SCHEMA_STRING,
		 .verbs = RUN | CHECKPOINT | DUMP,
		 .fallback = "",
		 .metavar = "FILE",
		 .help = "More such rules, in the form of CRaC's file descriptor policies. Without "
			 "it the file that java's -Djdk.crac.resource-policies names."},

	[SCHEMA_READY] =
		{.name = "ready",
		 .section = "warmup",
		 .key = "ready",
		 .variable = "JSNAP_READY",
		 .kind = SCHEMA_LIST,
		 .verbs = START,
		 .fallback = "auto",
		 .metavar = "CONDITION",
		 .help = "When the application is up: auto (it listens or its main thread has "
			 "parked, and it has gone quiet), tcp:PORT, http://... (a page that "
			 "answers with a status below 400), log:REGEX (a line of its output), "
			 "file:PATH, exec:CMD (exits 0) or api (it asks). Repeatable: all must "
			 "hold.",
		 .forms = ready_forms,
		 .check = form_ready},
	[SCHEMA_WARMUP] = {.name = "warmup",
			   .section = "warmup",
			   .key = "warmup",
			   .variable = "JSNAP_WARMUP",
			   .kind = SCHEMA_LIST,
			   .verbs = START,
			   .fallback = "",
			   .metavar = "URL|exec:CMD",
			   .help = "What warms it once it is up. Repeatable.",
			   .forms = warmup_forms,
			   .check = form_warmup},
	[SCHEMA_WARMUP_REQUESTS] = {.name = "warmup-requests",
				    .section = "warmup",
				    .key = "requests",
				    .variable = "JSNAP_WARMUP_REQUESTS",
				    .kind = SCHEMA_INTEGER,
				    .verbs = START,
				    .fallback = "1000",
				    .metavar = "N",
				    .help = "Requests to each warm-up URL, at most.",
				    .min = 0,
				    .max = 100000000},
	[SCHEMA_WARMUP_TIME] = {.name = "warmup-time",
				.section = "warmup",
				.key = "time",
				.variable = "JSNAP_WARMUP_TIME",
				.kind = SCHEMA_DURATION,
				.verbs = START,
				.fallback = "30s",
				.metavar = "T",
				.help = "Longest time of the whole warm-up; 0: no limit."},
	[SCHEMA_WARMUP_STEADY] =
		{.name = "warmup-steady",
		 .section = "warmup",
		 .key = "steady",
		 .variable = "JSNAP_WARMUP_STEADY",
		 .kind = SCHEMA_BOOL,
		 .verbs = START,
		 .fallback = "off",
		 .metavar = "on|off",
		 .help = "Go on with each warm-up URL, beyond the requests asked for, until "
			 "compilation and latency have levelled off."},
	[SCHEMA_TIMEOUT] =
		{.name = "timeout",
		 .section = "warmup",
		 .key = "timeout",
		 .variable = "JSNAP_TIMEOUT",
		 .kind = SCHEMA_DURATION,
		 .verbs = START,
		 .fallback = "5m",
		 .metavar = "T",
		 .help = "Give up (no snapshot) when the application is not ready and warm by "
			 "then; 0: never."},

	[SCHEMA_BEFORE_CHECKPOINT] =
		{.name = "before-checkpoint",
		 .section = "hooks",
		 .key = "before-checkpoint",
		 .variable = "JSNAP_BEFORE_CHECKPOINT",
		 .kind = SCHEMA_LIST,
		 .verbs = START,
		 .fallback = "",
		 .metavar = "URL|exec:CMD",
		 .help = "Asked or run before a snapshot; when it fails there is none. Repeatable.",
		 .check = form_warmup},
	[SCHEMA_AFTER_RESTORE] =
		{.name = "after-restore",
		 .section = "hooks",
		 .key = "after-restore",
		 .variable = "JSNAP_AFTER_RESTORE",
		 .kind = SCHEMA_LIST,
		 .verbs = START,
		 .fallback = "",
		 .metavar = "URL|exec:CMD",
		 .help = "Asked or run after a restore, and when the program goes on after a "
			 "snapshot, or without one that failed. Repeatable.",
		 .check = form_warmup},
	[SCHEMA_HOOK_TIMEOUT] =
		{.name = "hook-timeout",
		 .section = "hooks",
		 .key = "timeout",
		 .variable = "JSNAP_HOOK_TIMEOUT",
		 .kind = SCHEMA_DURATION,
		 .verbs = START,
		 .fallback = "30s",
		 .metavar = "T",
		 .help = "Longest time for each hook, and for the application's org.crac "
			 "resources together; 0: no limit."},

	[SCHEMA_ON_RESTORE_FAILURE] =
		{.name = "on-restore-failure",
		 .section = "restore",
		 .key = "on-failure",
		 .variable = "JSNAP_ON_RESTORE_FAILURE",
		 .kind = SCHEMA_ENUM,
		 .verbs = START,
		 .fallback = "cold",
		 .restore_fallback = "fail",
		 .metavar = "cold|fail",
		 .help = "What to do when a snapshot cannot be restored: start "
			 "cold, or fail (all that `jsnap restore` can).",
		 .values = failure_values},
	[SCHEMA_TIDS] = {.name = "tids",
			 .section = "restore",
			 .key = "tids",
			 .variable = "JSNAP_TIDS",
			 .kind = SCHEMA_ENUM,
			 .verbs = START | SCHEMA_VERB_DOCTOR | SCHEMA_VERB_VERIFY,
			 .fallback = "auto",
			 .metavar = "WAY",
			 .help = "How original thread ids are obtained: auto, clone3, userns, "
				 "ns-last-pid or walk.",
			 .values = tids_values},
	[SCHEMA_FIRST_TID] =
		{.name = "first-tid",
		 .section = "restore",
		 .key = "first-tid",
		 .variable = "JSNAP_FIRST_TID",
		 .kind = SCHEMA_INTEGER,
		 .verbs = RUN | CHECKPOINT,
		 .fallback = "100",
		 .metavar = "N",
		 .help = "Lowest PID of a program that a snapshot is to be taken of, in a young "
			 "PID "
			 "namespace (a container's): below it is room for what runs before "
			 "jsnap; 0: as it comes.",
		 .min = 0,
		 .max = 30000},
	[SCHEMA_WALK_BUDGET] =
		{.name = "walk-budget",
		 .section = "restore",
		 .key = "walk-budget",
		 .variable = "JSNAP_WALK_BUDGET",
		 .kind = SCHEMA_DURATION,
		 .verbs = START | SCHEMA_VERB_DOCTOR,
		 .fallback = "1s",
		 .metavar = "T",
		 .help = "What walking the PID counter to the original thread ids may "
			 "cost; more is refused beforehand."},
	[SCHEMA_LSM] =
		{.name = "lsm",
		 .section = "restore",
		 .key =
			 "lsm",
		 .variable = "JSNAP_LSM",
		 .kind = SCHEMA_ENUM,
		 .verbs = START | SCHEMA_VERB_VERIFY,
		 .fallback = "keep",
		 .metavar = "keep|ignore",
		 .help = "Whether a snapshot taken under another security module or label is "
			 "refused.",
		 .values = lsm_values},
	[SCHEMA_CPU] = {.name = "cpu",
			.section = "restore",
			.key = "cpu",
			.variable = "JSNAP_CPU",
			.kind = SCHEMA_ENUM,
			.verbs = START,
			.fallback = "native",
			.metavar = "LEVEL",
			.help = "Processors the snapshot is for: native (as this one), x86-64-v2, "
				"x86-64-v3 or x86-64-v4.",
			.values = cpu_values},
	[SCHEMA_PROBATION] = {.name = "probation",
			      .section = "restore",
			      .key = "probation",
			      .variable = "JSNAP_PROBATION",
			      .kind = SCHEMA_DURATION,
			      .verbs = START,
			      .fallback = "30s",
			      .metavar = "T",
			      .help = "A snapshot is not used again when the program crashes "
				      "within this time of "
				      "being restored; 0: never."},
	[SCHEMA_LISTEN] = {.name = "listen",
			   .section = "restore",
			   .key = "listen",
			   .variable = "JSNAP_LISTEN",
			   .kind = SCHEMA_LIST,
			   .verbs = START,
			   .fallback = "",
			   .metavar = "OLD=NEW",
			   .help = "Open a listening port elsewhere on restore. Repeatable.",
			   .check = form_port_pair},
	[SCHEMA_SET_ENV] = {.name = "set-env",
			    .section = "restore",
			    .key = "set-env",
			    .variable = "JSNAP_SET_ENV",
			    .kind = SCHEMA_LIST,
			    .verbs = START,
			    .fallback = "",
			    .metavar = "K=V",
			    .help = "A variable of the application's environment. Repeatable.",
			    .check = form_assignment},
	[SCHEMA_ENV_REFRESH] =
		{.name = "env-refresh",
		 .section = "restore",
		 .key =
			 "env-refresh",
		 .variable = "JSNAP_ENV_REFRESH",
		 .kind = SCHEMA_BOOL,
		 .verbs = START,
		 .fallback = "on",
		 .metavar = "on|off",
		 .help = "Whether the restored process sees the caller's environment, or "
			 "the one it had."},

	[SCHEMA_SCRUB_NATIVE] =
		{.name = "scrub-native",
		 .section = "run",
		 .key =
			 "scrub-native",
		 .variable = "JSNAP_SCRUB_NATIVE",
		 .kind = SCHEMA_BOOL,
		 .verbs = START,
		 .fallback = "off",
		 .metavar = "on|off",
		 .help = "Have the C library overwrite memory as it is freed, so that no secret of "
			 "native code stays in the snapshot; it costs a little for ever."},
	[SCHEMA_SET_PROPERTY] = {.name = "set-property",
				 .section = "restore",
				 .key = "set-property",
				 .variable = "JSNAP_SET_PROPERTY",
				 .kind = SCHEMA_LIST,
				 .verbs = START,
				 .fallback = "",
				 .metavar = "NAME=VALUE",
				 .help = "A system property of the restored program; one that is "
					 "started cold has java's -D alone. Repeatable.",
				 .check = form_assignment},
	[SCHEMA_RESEED] = {.name = "reseed",
			   .section = "restore",
			   .key = "reseed",
			   .variable = "JSNAP_RESEED",
			   .kind = SCHEMA_BOOL,
			   .verbs = START | SCHEMA_VERB_VERIFY,
			   .fallback = "on",
			   .metavar = "on|off",
			   .help = "Whether random state that two restores of one snapshot would "
				   "share is made anew."},
	[SCHEMA_CATCH_UP] = {.name = "catch-up",
			     .section = "restore",
			     .key = "catch-up",
			     .variable = "JSNAP_CATCH_UP",
			     .kind = SCHEMA_BOOL,
			     .verbs = START,
			     .fallback = "off",
			     .metavar = "on|off",
			     .help = "Whether periodic tasks make up for the runs they have missed "
				     "since the snapshot."},

	[SCHEMA_NO_CHECKPOINT] = {.name = "no-checkpoint",
				  .section = "run",
				  .key = "no-checkpoint",
				  .variable = "JSNAP_NO_CHECKPOINT",
				  .kind = SCHEMA_FLAG,
				  .verbs = RUN,
				  .fallback = "off",
				  .help = "Take no snapshot after a cold start."},
	[SCHEMA_NO_RESTORE] = {.name = "no-restore",
			       .section = "run",
			       .key = "no-restore",
			       .variable = "JSNAP_NO_RESTORE",
			       .kind = SCHEMA_FLAG,
			       .verbs = RUN,
			       .fallback = "off",
			       .help = "Start cold, and replace the snapshot."},
	[SCHEMA_KEEP_RUNNING] = {.name = "keep-running",
				 .kind = SCHEMA_FLAG,
				 .verbs = CHECKPOINT,
				 .fallback = "off",
				 .help = "Leave the application running after the snapshot."},
	[SCHEMA_PID] = {.name = "pid",
			.kind = SCHEMA_INTEGER,
			.verbs = DUMP | CHECKPOINT,
			.fallback = "",
			.metavar = "PID",
			.help = "The process to take a snapshot of; for checkpoint a program that "
				"`jsnap run` started, or that jsnap.",
			.min = 1,
			.max = 4194304},
	[SCHEMA_LEAVE_RUNNING] = {.name = "leave-running",
				  .kind = SCHEMA_FLAG,
				  .verbs = DUMP,
				  .fallback = "off",
				  .help = "Leave the process running after the snapshot."},
	[SCHEMA_JSON] = {.name = "json",
			 .kind = SCHEMA_FLAG,
			 .verbs = STORE | SCHEMA_VERB_DOCTOR,
			 .fallback = "off",
			 .help = "Print JSON."},
	[SCHEMA_FIND] = {.name = "find",
			 .kind = SCHEMA_LIST,
			 .verbs = SCHEMA_VERB_INSPECT,
			 .fallback = "",
			 .metavar = "STRING|@FILE",
			 .help = "Look for these bytes (of a file: its content), and for the same "
				 "text as UTF-16, in memory and records; exit status 1 when it is "
				 "there. Repeatable."},
	[SCHEMA_UNIQUENESS] =
		{.name = "uniqueness",
		 .kind = SCHEMA_FLAG,
		 .verbs = SCHEMA_VERB_VERIFY,
		 .fallback = "off",
		 .help = "Restore each snapshot twice, without letting the application "
			 "run, and see that both draw other random numbers."},
	[SCHEMA_OLDER_THAN] = {.name = "older-than",
			       .kind = SCHEMA_DURATION,
			       .verbs = SCHEMA_VERB_PRUNE,
			       .fallback = "",
			       .metavar = "T",
			       .help = "Remove snapshots taken longer ago than this."},
	[SCHEMA_LARGER_THAN] =
		{
			.name = "larger-than",
			.kind = SCHEMA_SIZE,
			.verbs = SCHEMA_VERB_PRUNE,
			.fallback = "",
			.metavar = "SIZE",
			.help = "Remove the oldest snapshots until the store is no larger than "
				"this.",
			.min = 1,
			.max = UINT64_MAX},
	[SCHEMA_STALE] =
		{.name = "stale",
		 .kind = SCHEMA_FLAG,
		 .verbs = SCHEMA_VERB_PRUNE,
		 .fallback = "off",
		 .help = "Remove snapshots whose JDK or class path has changed or gone, and "
			 "those that cannot be read."},
	[SCHEMA_ALL] = {.name = "all",
			.kind = SCHEMA_FLAG,
			.verbs = SCHEMA_VERB_PRUNE,
			.fallback = "off",
			.help = "Remove every snapshot."},
	[SCHEMA_DRY_RUN] = {.name = "dry-run",
			    .kind = SCHEMA_FLAG,
			    .verbs = SCHEMA_VERB_PRUNE,
			    .fallback = "off",
			    .help = "Say what would be removed, and remove nothing."},

	[SCHEMA_RUNS] = {.name = "runs",
			 .kind = SCHEMA_INTEGER,
			 .verbs = BENCH,
			 .fallback = "10",
			 .metavar = "N",
			 .help = "Runs of each variant that count.",
			 .min = 1,
			 .max = 1000},
	[SCHEMA_WARMUP_RUNS] = {.name = "warmup-runs",
				.kind = SCHEMA_INTEGER,
				.verbs = BENCH,
				.fallback = "1",
				.metavar = "N",
				.help = "Runs of each variant before those that count.",
				.min = 0,
				.max = 1000},
	[SCHEMA_VARIANT] =
		{.name = "variant",
		 .kind = SCHEMA_LIST,
		 .verbs = BENCH,
		 .fallback = "",
		 .metavar = "NAME",
		 .help = "What to measure: java, appcds, aot (JDK 25), hot, zstd (no hot "
			 "copy), dropped (page cache dropped). Ratios are to the first. "
			 "Repeatable; without it java, hot, zstd and dropped.",
		 .check = form_variant},
	[SCHEMA_EXPORT_JSON] = {.name = "export-json",
				.kind = SCHEMA_STRING,
				.verbs = BENCH,
				.fallback = "",
				.metavar = "FILE",
				.help = "Write the figures to this file, in hyperfine's format."},
	[SCHEMA_EXPORT_SVG] = {.name = "export-svg",
			       .kind = SCHEMA_STRING,
			       .verbs = BENCH,
			       .fallback = "",
			       .metavar = "FILE",
			       .help = "Draw the times as a chart."},

	[SCHEMA_LOG_FORMAT] = {.name = "log-format",
			       .section = "log",
			       .key = "format",
			       .variable = "JSNAP_LOG_FORMAT",
			       .kind = SCHEMA_ENUM,
			       .verbs = ALL,
			       .fallback = "text",
			       .metavar = "text|json",
			       .help = "Form of jsnap's own lines on standard error.",
			       .values = format_values},
	[SCHEMA_LOG_LEVEL] = {.name = "log-level",
			      .section = "log",
			      .key = "level",
			      .variable = "JSNAP_LOG_LEVEL",
			      .kind = SCHEMA_ENUM,
			      .verbs = ALL,
			      .fallback = "info",
			      .metavar = "LEVEL",
			      .help = "Least important line to say: error, warn, info or debug.",
			      .values = level_values},
	[SCHEMA_QUIET] = {.name = "quiet",
			  .section = "log",
			  .key = "quiet",
			  .variable = "JSNAP_QUIET",
			  .kind = SCHEMA_FLAG,
			  .verbs = ALL,
			  .fallback = "off",
			  .help = "Say nothing but errors."},
	[SCHEMA_METRICS] = {.name = "metrics",
			    .section = "log",
			    .key = "metrics",
			    .variable = "JSNAP_METRICS",
			    .kind = SCHEMA_STRING,
			    .verbs = START,
			    .fallback = "",
			    .metavar = "FILE",
			    .help = "Write metrics to this file, in Prometheus text format."},

	[SCHEMA_CONFIG] = {.name = "config",
			   .variable = "JSNAP_CONFIG",
			   .kind = SCHEMA_STRING,
			   .verbs = ALL,
			   .fallback = "",
			   .metavar = "FILE",
			   .help = "Read this ini file, before the user's jsnap.ini and "
				   "/etc/jsnap/jsnap.ini."},
	[SCHEMA_PRINT_CONFIG] = {.name = "print-config",
				 .kind = SCHEMA_FLAG,
				 .verbs = ALL,
				 .fallback = "off",
				 .help = "Show each value and where it came from, and end."},
	[SCHEMA_HELP] = {.name = "help",
			 .kind = SCHEMA_FLAG,
			 .verbs = ALL,
			 .fallback = "off",
			 .help = "Show this help, and end."},
	[SCHEMA_VERSION] = {.name = "version",
			    .kind = SCHEMA_FLAG,
			    .verbs = SCHEMA_VERB_NONE,
			    .fallback = "off",
			    .help = "Show jsnap's version, and end."},
};

const struct schema_option *schema_find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++)
		if (strlen(schema_options[i].name) == length &&
		    memcmp(schema_options[i].name, name, length) == 0)
			return &schema_options[i];
	return NULL;
}

const struct schema_verb *schema_find_verb(const char *name)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}
