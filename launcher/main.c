/*
 * The command: settings, a table of verbs, and the only place where an error is printed and an exit
 * status picked (125: jsnap failed; 126, 127: no java; else the verb's).
 */
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/options/settings.h"
#include "launcher/report/start_time.h"
#include "launcher/supervise/supervise.h"
#include "launcher/verbs/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct verb verbs[] = {
	{"run", verb_run},     {"checkpoint", verb_checkpoint}, {"restore", verb_restore},
	{"list", verb_list},   {"inspect", verb_inspect},	{"verify", verb_verify},
	{"prune", verb_prune}, {"doctor", verb_doctor},		{"dump", verb_dump},
	{"bench", verb_bench},
};

static int run_verb(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, settings->verb) == 0)
			return verbs[i].run(settings, ret_status, err);
	return error_set(err, ENOSYS, "'%s' is not in this build of jsnap", settings->verb);
}

static int act(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	if (settings->action == SETTINGS_RUN_VERB)
		return run_verb(settings, ret_status, err);
	if (settings->action == SETTINGS_HELP)
		settings_write_help(settings, stdout);
	else if (settings->action == SETTINGS_PRINT_CONFIG)
		settings_write_config(settings, stdout);
	else
		printf("jsnap %s\n", JSNAP_VERSION);
	if (fflush(stdout) != 0)
		return error_errno(err, "write to standard output");
	*ret_status = 0;
	return 0;
}

/* An image is a program: one that a user brings must never be read with another's rights. The file
 * capability changes no id, and is the way that exists (docs/privileges.md). */
static int refuse_setuid(struct jsnap_error *err)
{
	if (getuid() == geteuid() && getgid() == getegid())
		return 0;
	error_set(err, EPERM, "jsnap does not run setuid or setgid");
	return error_hint(err, "take the bits away (chmod ug-s) and, for original thread ids, use "
			       "setcap cap_checkpoint_restore=p; see jsnap doctor");
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	struct jsnap_error err = {0};
	int status = EXIT_JSNAP_FAILED, rc;

	supervise_early(true);
	start_time_mark();
	rc = refuse_setuid(&err);
	if (rc == 0 && argc == 1)
		rc = error_set(&err, EINVAL, "no command was given; jsnap --help lists them");
	if (rc == 0)
		rc = settings_load(argc, argv, &settings, &err);
	if (rc == 0) {
		log_setup(settings.log_format, settings.log_level, settings.quiet);
		metrics_setup(settings.metrics);
		rc = act(&settings, &status, &err);
		settings_free(&settings);
	}
	if (rc < 0)
		log_error("%s", err.text);
	return status;
}
