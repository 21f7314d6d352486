/* See settings.h. */
#include "launcher/options/settings.h"

#include "base/cleanup.h"
#include "conf/file.h"
#include "conf/form.h"
#include "launcher/policy/crac_policies.h"
#include "launcher/options/application_name.h"
#include "launcher/options/options.h"

#include <string.h>
#include <unistd.h>

static int load_files(struct settings *s, struct jsnap_error *err)
{
	struct application_name name = {
		.argv = s->argv,
		.argc = s->schema_verb && s->schema_verb->takes_java ? s->argc : 0};
	const struct conf_application application = {application_name_fits, &name};
	CLEANUP_FREE char *user = NULL;
	const char *given;
	int r = conf_load_env(s->values, environ, err);

	if (r < 0)
		return r;
	given = conf_text(s->values, SCHEMA_CONFIG);
	if (given && (r = conf_load_file(s->values, given, CONF_GIVEN_FILE, &application, err)) < 0)
		return r;
	r = conf_user_path(environ, &user, err);
	if (r == 0 && user)
		r = conf_load_file(s->values, user, CONF_USER_FILE, &application, err);
	return r < 0 ? r
		     : conf_load_file(s->values, CONF_SYSTEM_PATH, CONF_SYSTEM_FILE, &application,
				      err);
}

static const char *const *list(const struct conf_values *values, enum schema_id id, size_t *ret_n)
{
	*ret_n = values->values[id].n_items;
	return (const char *const *)values->values[id].items;
}

static int fill_listen_map(struct settings *s, struct jsnap_error *err)
{
	size_t n;
	const char *const *items = list(s->values, SCHEMA_LISTEN, &n);
	uint16_t(*map)[2] = calloc(n ? n : 1, sizeof(*map));

	if (!map)
		return error_set(err, ENOMEM, "out of memory");
	s->listen_map = map;
	s->n_listen_map = n;
	for (size_t i = 0; i < n; i++) {
		int r = form_ports(items[i], map[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int fill_fd_policy(struct settings *s, struct jsnap_error *err)
{
	const struct conf_value *value = &s->values->values[SCHEMA_FD_POLICY];
	const char *file = conf_text(s->values, SCHEMA_FD_POLICIES);
	int r = 0;

	for (size_t i = 0; r == 0 && i < value->n_items; i++) {
		struct fd_rule rule;

		r = fd_policy_parse(value->items[i], &rule, err);
		if (r == 0)
			r = fd_policy_add(&s->fd_policy, &rule, err);
		if (r < 0)
			return error_context(err, "%s", value->where);
	}
	s->fd_policies_given = file != NULL;
	return file && (s->schema_verb->bit & schema_options[SCHEMA_FD_POLICIES].verbs)
		       ? crac_policies_load(&s->fd_policy, file, err)
		       : 0;
}

/* The enums of settings.h list their values in the order of the schema's tables. */
static void fill_values(struct settings *s)
{
	const struct conf_values *v = s->values;

	s->store = conf_text(v, SCHEMA_STORE);
	s->image = conf_text(v, SCHEMA_IMAGE);
	s->ready = list(v, SCHEMA_READY, &s->n_ready);
	s->warmup = list(v, SCHEMA_WARMUP, &s->n_warmup);
	s->warmup_requests = conf_number(v, SCHEMA_WARMUP_REQUESTS);
	s->warmup_time_ns = conf_number(v, SCHEMA_WARMUP_TIME);
	s->on_restore_failure = (enum failure_policy)conf_enum(v, SCHEMA_ON_RESTORE_FAILURE);
	s->tids = (enum tids_way)conf_enum(v, SCHEMA_TIDS);
	s->first_tid = (pid_t)conf_number(v, SCHEMA_FIRST_TID);
	s->walk_budget_ns = conf_number(v, SCHEMA_WALK_BUDGET);
	s->lsm = (enum lsm_policy)conf_enum(v, SCHEMA_LSM);
	s->scrub_native = conf_bool(v, SCHEMA_SCRUB_NATIVE);
	s->probation_ns = conf_number(v, SCHEMA_PROBATION);
	s->cpu = (enum cpu_policy)conf_enum(v, SCHEMA_CPU);
	s->set_env = list(v, SCHEMA_SET_ENV, &s->n_set_env);
	s->env_refresh = conf_bool(v, SCHEMA_ENV_REFRESH);
	s->set_property = list(v, SCHEMA_SET_PROPERTY, &s->n_set_property);
	s->reseed = conf_bool(v, SCHEMA_RESEED);
	s->catch_up = conf_bool(v, SCHEMA_CATCH_UP);
	s->warmup_steady = conf_bool(v, SCHEMA_WARMUP_STEADY);
	s->before_checkpoint = list(v, SCHEMA_BEFORE_CHECKPOINT, &s->n_before_checkpoint);
	s->after_restore = list(v, SCHEMA_AFTER_RESTORE, &s->n_after_restore);
	s->hook_timeout_ns = conf_number(v, SCHEMA_HOOK_TIMEOUT);
	s->labels = list(v, SCHEMA_LABEL, &s->n_labels);
	s->hot_copy = conf_bool(v, SCHEMA_HOT_COPY);
	s->encrypted_hot_copy = conf_bool(v, SCHEMA_ENCRYPTED_HOT_COPY);
	s->image_key = conf_text(v, SCHEMA_IMAGE_KEY);
	s->protect = (enum protect_policy)conf_enum(v, SCHEMA_PROTECT);
	s->no_checkpoint = conf_bool(v, SCHEMA_NO_CHECKPOINT);
	s->no_restore = conf_bool(v, SCHEMA_NO_RESTORE);
	s->keep_running = conf_bool(v, SCHEMA_KEEP_RUNNING);
	s->leave_running = conf_bool(v, SCHEMA_LEAVE_RUNNING);
	s->timeout_ns = conf_number(v, SCHEMA_TIMEOUT);
	s->log_format = (enum log_format)conf_enum(v, SCHEMA_LOG_FORMAT);
	s->log_level = (enum log_level)conf_enum(v, SCHEMA_LOG_LEVEL);
	s->quiet = conf_bool(v, SCHEMA_QUIET);
	s->metrics = conf_text(v, SCHEMA_METRICS);
	s->json = conf_bool(v, SCHEMA_JSON);
	s->uniqueness = conf_bool(v, SCHEMA_UNIQUENESS);
	s->pid = (pid_t)conf_number(v, SCHEMA_PID);
	s->find = list(v, SCHEMA_FIND, &s->n_find);
	s->older_than_ns = conf_number(v, SCHEMA_OLDER_THAN);
	s->larger_than = conf_number(v, SCHEMA_LARGER_THAN);
	s->runs = conf_number(v, SCHEMA_RUNS);
	s->warmup_runs = conf_number(v, SCHEMA_WARMUP_RUNS);
	s->variants = list(v, SCHEMA_VARIANT, &s->n_variants);
	s->export_json = conf_text(v, SCHEMA_EXPORT_JSON);
	s->export_svg = conf_text(v, SCHEMA_EXPORT_SVG);
	s->stale = conf_bool(v, SCHEMA_STALE);
	s->all = conf_bool(v, SCHEMA_ALL);
	s->dry_run = conf_bool(v, SCHEMA_DRY_RUN);
}

static enum settings_action action_of(const struct options *options)
{
	if (options->help)
		return SETTINGS_HELP;
	if (options->version)
		return SETTINGS_VERSION;
	if (options->print_config)
		return SETTINGS_PRINT_CONFIG;
	return options->verb ? SETTINGS_RUN_VERB : SETTINGS_HELP;
}

/* The jsnap that is asked goes by its own options: one that says how the snapshot is to be would be
 * for nothing here. */
static int check_demand(const struct settings *s, struct jsnap_error *err)
{
	if (s->argc)
		return error_set(err, EINVAL,
				 "`jsnap checkpoint --pid %d` is about a program that runs; "
				 "'%s' would be another",
				 (int)s->pid, s->argv[0]);
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];

		if (s->values->values[i].source != CONF_OPTION || i == SCHEMA_TIMEOUT ||
		    !option->section || strcmp(option->section, "log") == 0)
			continue;
		error_set(err, EINVAL, "--%s has no effect on `jsnap checkpoint --pid %d`",
			  option->name, (int)s->pid);
		return error_hint(err, "the jsnap that runs the program goes by its own options");
	}
	return 0;
}

/* What a verb cannot do without, said before anything is touched. */
static int check_operands(const struct settings *s, struct jsnap_error *err)
{
	unsigned bit = s->schema_verb->bit;

	if (bit == SCHEMA_VERB_CHECKPOINT && s->pid)
		return check_demand(s, err);
	if (s->schema_verb->takes_java && s->argc == 0)
		return error_set(err, EINVAL, "`jsnap %s` needs a program: jsnap %s app.jar",
				 s->verb, s->verb);
	if (bit == SCHEMA_VERB_DUMP && (!s->pid || !s->image))
		return error_set(err, EINVAL,
				 "`jsnap dump` needs both: jsnap dump --pid PID --image FILE");
	if (bit == SCHEMA_VERB_RESTORE && (s->argc > 1 || (s->argc == 0 && !s->image)))
		return error_set(
			err, EINVAL,
			"`jsnap restore` needs one snapshot: jsnap restore KEY, FILE or -");
	if (bit == SCHEMA_VERB_INSPECT && s->argc != 1)
		return error_set(err, EINVAL,
				 "`jsnap inspect` needs one snapshot: jsnap inspect KEY or FILE");
	if (bit == SCHEMA_VERB_PRUNE && !s->argc && !s->older_than_ns && !s->larger_than &&
	    !s->stale && !s->all)
		return error_set(err, EINVAL,
				 "`jsnap prune` needs to know what: --older-than T, --larger-than "
				 "SIZE, --stale, --all or a KEY");
	return 0;
}

int settings_load(int argc, char **argv, struct settings *ret_settings, struct jsnap_error *err)
{
	CLEANUP_SETTINGS struct settings s = {.values = calloc(1, sizeof(*s.values))};
	struct options options;
	int r;

	if (!s.values)
		return error_set(err, ENOMEM, "out of memory");
	r = options_parse(argc, argv, &options, s.values, err);
	if (r < 0)
		return r;
	s.action = action_of(&options);
	s.schema_verb = options.verb;
	s.verb = options.verb ? options.verb->name : NULL;
	s.argv = options.operands;
	s.argc = options.n_operands;
	s.args = options.args;
	s.n_args = options.n_args;
	/* help must be had even where a configuration file is broken */
	if (s.action == SETTINGS_RUN_VERB || s.action == SETTINGS_PRINT_CONFIG)
		if ((r = load_files(&s, err)) < 0)
			return r;
	fill_values(&s);
	if ((r = fill_listen_map(&s, err)) < 0)
		return r;
	if (s.action == SETTINGS_RUN_VERB && (r = fill_fd_policy(&s, err)) < 0)
		return r;
	if (s.action == SETTINGS_RUN_VERB && (r = check_operands(&s, err)) < 0)
		return r;
	*ret_settings = s;
	s = (struct settings){0};
	return 0;
}

void settings_free(struct settings *settings)
{
	free((void *)settings->listen_map);
	fd_policy_free(&settings->fd_policy);
	free(settings->argv);
	if (settings->values)
		conf_free(settings->values);
	free(settings->values);
	*settings = (struct settings){0};
}

void settings_write_help(const struct settings *settings, FILE *out)
{
	options_write_help(settings->schema_verb, out);
}

void settings_write_config(const struct settings *settings, FILE *out)
{
	conf_print(settings->values, out);
}
