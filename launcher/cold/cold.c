/* The start, supervision and end of cold.h; the way to the snapshot is in cold_snapshot.c. */
#include "launcher/cold/cold.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/cold/agent_path.h"
#include "launcher/supervise/child.h"
#include "launcher/java/cpu_level.h"
#include "launcher/policy/crac_policies.h"
#include "launcher/supervise/fds.h"
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/report/phases.h"
#include "launcher/warm/hooks.h"
#include "restore/walk.h"

#include <string.h>
#include <sys/wait.h>

void cold_init(struct cold *cold)
{
	cold->agent = (struct agent_client){.fd = -1};
	cold->control_fd = -1;
	cold->relay = (struct relay){.report_fd = -1};
	cold->ready = (struct ready){0};
	cold->policy = (struct fd_policy){.defaults = true, .before = &cold->settings->fd_policy};
	cold->inherited = NULL;
	cold->n_inherited = 0;
	cold->job = (struct snapshot_job){.result_fd = -1};
	cold->demand = (struct demand){.listen_fd = -1, .client_fd = -1};
	store_name(cold->command->name, cold->name);
}

void cold_close(struct cold *cold)
{
	agent_client_close(&cold->agent);
	cleanup_close(&cold->control_fd);
	cleanup_close(&cold->relay.report_fd);
	cleanup_close(&cold->job.result_fd);
	demand_close(&cold->demand);
	ready_free(&cold->ready);
	fd_policy_free(&cold->policy);
	free(cold->inherited);
	cold->inherited = NULL;
}

/* The JDK, class path, module path and agents. */
static int spare_classes(struct cold *cold, struct jsnap_error *err)
{
	const struct key_facts *facts = cold->facts;
	int rc = 0;

	if (!facts || (!cold->policy.count && !cold->settings->fd_policy.count))
		return 0;
	if (*cold->command->jdk.home)
		rc = fd_policy_spare(&cold->policy, cold->command->jdk.home, true, err);
	for (size_t i = 0; rc == 0 && i < facts->n_facts; i++) {
		const char *path = key_fact_path(&facts->facts[i]);

		if (path)
			rc = fd_policy_spare(&cold->policy, path, false, err);
	}
	return rc;
}

int cold_check(struct cold *cold, struct jsnap_error *err)
{
	const struct settings *s = cold->settings;
	const struct warmup_options warmup = {
		.what = "--warmup", .steps = s->warmup, .n_steps = s->n_warmup};
	const char *policies =
		s->fd_policies_given ? NULL : crac_policies_property(cold->command->argv);
	int rc = ready_parse(s->ready, s->n_ready, &cold->ready, err);

	if (rc == 0 && policies)
		rc = crac_policies_load(&cold->policy, policies, err);
	if (rc == 0)
		rc = spare_classes(cold, err);
	if (rc == 0)
		rc = warmup_check(&warmup, err);
	return rc < 0 ? rc : hooks_check(s, err);
}

/* "-agentpath:LIBRARY=fd=N,hook-timeout=MS[,openers]" as the first VM option, then what --cpu
 * takes. */
static char **argv_with_agent(const struct cold *cold, const char *const *more, const char *library,
			      int fd, struct jsnap_error *err)
{
	const struct java_command *command = cold->command;
	CLEANUP_FREE char *option = NULL;
	size_t n = 0, at = 2;
	char **argv;

	if (strchr(library, '=')) {
		error_set(err, EINVAL, "java takes no agent whose path holds a '=': %s", library);
		return NULL;
	}
	if (asprintf(&option, "-agentpath:%s=fd=%d,hook-timeout=%llu%s", library, fd,
		     (unsigned long long)(cold->settings->hook_timeout_ns / 1000000),
		     fd_policy_may_refuse(&cold->policy) ? ",openers" : "") < 0) {
		option = NULL;
		error_set(err, ENOMEM, "no memory for java's command line");
		return NULL;
	}
	while (more[n])
		n++;
	argv = calloc((size_t)command->argc + 2 + n, sizeof(*argv));
	if (!argv) {
		error_set(err, ENOMEM, "no memory for java's command line");
		return NULL;
	}
	argv[0] = command->argv[0];
	argv[1] = STEAL_PTR(option);
	for (size_t i = 0; i < n; i++)
		argv[at++] = (char *)(uintptr_t)more[i];
	memcpy(argv + at, command->argv + 1, (size_t)command->argc * sizeof(*argv));
	return argv;
}

/*
 * In a young PID namespace, a container's, the program gets numbers low enough to be walked to
 * within milliseconds, and high enough to be free when the next container's jsnap does so: above
 * those of what a container runs before it. An older namespace has no such numbers to give. Best
 * effort.
 */
static void choose_numbers(const struct cold *cold)
{
	pid_t first = cold->settings->first_tid;
	struct walk_place place;
	struct jsnap_error err;

	if (!first || walk_place_read(&place, &err) < 0 || place.cursor >= WALK_YOUNG)
		return;
	if (place.cursor >= first) /* what runs before took more than was thought */
		first += place.cursor;
	if (walk_to(first, &err) < 0)
		log_debug("the program's PID is not chosen: %s", err.text);
}

static int spawn(struct cold *cold, char **argv, int *ret_status, struct jsnap_error *err)
{
	const struct child_options options = {
		.executable = cold->command->jdk.executable,
		.argv = argv,
		.env = cold->env->vars,
		.keep_fd = cold->control_fd,
		.stdin_fd = -1,
		.stdout_fd = cold->relay.pid ? cold->relay.stdout_fd : -1,
		.stderr_fd = cold->relay.pid ? cold->relay.stderr_fd : -1,
	};
	pid_t pid = 0;
	int rc = child_start(cold->supervise, &options, &pid, err);

	relay_started(&cold->relay);
	if (rc < 0) {
		/* 127 is for a java that is not there; one without its interpreter is not it. */
		*ret_status = rc == -ENOENT && access(options.executable, F_OK) < 0 ? 127 : 126;
		return rc;
	}
	rc = supervise_adopt(cold->supervise, pid, err);
	if (rc < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return rc;
}

/* The agent's end keeps its number in the child, and belongs to it alone. */
static int start_with_agent(struct cold *cold, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_FREE char *library = NULL;
	int theirs = -1;
	char **argv;
	int rc = agent_path_find(getenv("JSNAP_AGENT"), &library, err);

	if (rc == 0)
		rc = fds_inherited(&cold->inherited, &cold->n_inherited, err);
	if (rc == 0)
		rc = agent_client_open(cold->supervise, &cold->agent, &theirs, err);
	if (rc < 0)
		return rc;
	cold->control_fd = cold->control_number = theirs;
	argv = argv_with_agent(cold, cpu_level_options(cpu_level_of(cold->settings->cpu)), library,
			       theirs, err);
	if (!argv)
		return -err->code;
	if (cold->ready.n_patterns)
		rc = relay_start(cold->supervise, cold->ready.patterns, cold->ready.n_patterns,
				 &cold->relay, err);
	if (rc == 0) {
		choose_numbers(cold);
		rc = spawn(cold, argv, ret_status, err);
	}
	cleanup_close(&cold->control_fd);
	cold->control_fd = -1;
	free(argv[1]);
	free(argv);
	return rc;
}

bool cold_agent_exists(void)
{
	CLEANUP_FREE char *library = NULL;

	return agent_path_find(getenv("JSNAP_AGENT"), &library, NULL) == 0;
}

int cold_start(struct cold *cold, bool with_agent, int *ret_status, struct jsnap_error *err)
{
	cold->started_ns = monotonic_ns();
	supervise_end_at_once(cold->supervise, false);
	if (!with_agent)
		return spawn(cold, cold->command->argv, ret_status, err);
	return start_with_agent(cold, ret_status, err);
}

void cold_report(const struct cold *cold, const struct checkpoint_stats *stats,
		 const struct snapshot_result *result)
{
	const struct log_field fields[] = {
		{.key = "event", .value = "snapshot"},
		{.key = "name", .value = cold->name},
		{.key = "key", .value = cold->facts->key},
		{.key = "image", .value = cold->slot->image},
		{.key = "pause_ms", .number = (double)stats->pause_ns / 1e6},
		{.key = "pages_bytes", .number = (double)stats->stored_bytes},
		{.key = "image_bytes", .number = (double)result->image_bytes},
		{.key = "write_ms", .number = (double)result->write_ns / 1e6},
		{.key = "threads", .number = stats->threads},
	};

	phases_log_pause(stats);
	log_event(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields),
		  "snapshot %s %.12s taken: paused %.0f ms, %.1f MB as %.1f MB, written in %.1f s",
		  cold->name, cold->facts->key, (double)stats->pause_ns / 1e6,
		  (double)stats->stored_bytes / 1e6, (double)result->image_bytes / 1e6,
		  (double)result->write_ns / 1e9);
	if (result->hot_error.code)
		log_warn("the snapshot is stored, its hot copy is not: %s; the next restore makes "
			 "it",
			 result->hot_error.text);
	metrics_snapshot(cold->name, (double)stats->pause_ns / 1e6, (double)result->write_ns / 1e6,
			 stats->stored_bytes, result->image_bytes);
}

int cold_adopt(struct cold *cold, struct agent_client *agent, int control_number,
	       struct jsnap_error *err)
{
	int rc;

	cold->agent = *agent;
	agent->fd = -1;
	cold->control_number = control_number;
	rc = fds_inherited(&cold->inherited, &cold->n_inherited, err);
	if (rc < 0)
		cold->slot = NULL;
	return rc;
}

static void no_snapshot(struct cold *cold, const struct jsnap_error *err)
{
	log_warn("no snapshot: %s", err->text);
	metrics_snapshot_failed(cold->name);
	demand_answer(&cold->demand, false, err->text);
}

static void collect(struct cold *cold)
{
	struct snapshot_result result = {0};
	struct checkpoint_stats stats = cold->job.stats;
	struct jsnap_error err = {0};

	if (snapshot_collect(&cold->job, &result, &err) < 0) {
		no_snapshot(cold, &err);
	} else {
		cold_report(cold, &stats, &result);
		demand_answer(&cold->demand, true, cold->slot->image);
	}
}

/* The application may ask at any time, and again. */
static void serve_agent(struct cold *cold)
{
	struct jsnap_error err = {0};

	if (!cold->agent.requested)
		return;
	if (cold->unwanted) {
		log_debug("the application asks for a snapshot, and none is wanted");
		agent_client_resumed(&cold->agent, NULL);
	} else if (cold_snapshot_now(cold, &err) < 0) {
		no_snapshot(cold, &err);
		agent_client_resumed(&cold->agent, err.text);
	}
}

static void serve_demand(struct cold *cold)
{
	struct jsnap_error err = {0};

	if (demand_accept(&cold->demand) && cold_snapshot_now(cold, &err) < 0)
		no_snapshot(cold, &err);
}

int cold_supervise(struct cold *cold, int *ret_status, struct jsnap_error *err)
{
	int rc;

	if (cold->agent.fd >= 0)
		demand_open(&cold->demand);
	do {
		struct pollfd fds[] = {
			{.fd = cold->job.result_fd, .events = POLLIN},
			{.fd = cold->agent.fd, .events = POLLIN},
			{.fd = cold->relay.pid ? cold->relay.report_fd : -1, .events = POLLIN},
			{.fd = demand_waits_for(&cold->demand), .events = POLLIN},
		};

		serve_agent(cold);

		rc = supervise_wait_ending(cold->supervise, fds, ARRAY_SIZE(fds), 0);
		if (rc > 0 && fds[0].revents)
			collect(cold);
		if (rc > 0 && fds[1].revents)
			agent_client_read(&cold->agent);
		if (rc > 0 && fds[2].revents)
			relay_read(&cold->relay);
		if (rc > 0 && fds[3].revents)
			serve_demand(cold);
	} while (rc >= 0);
	relay_finish(&cold->relay);
	if (rc != -ECHILD)
		return supervise_explain(cold->supervise, rc, err);
	/* With the end of PID 1 the kernel ends all of its namespace, the writer too. */
	if (cold->job.result_fd >= 0 && getpid() == 1) {
		log_info("waiting until the snapshot is written");
		log_show_progress();
		while (poll(&(struct pollfd){.fd = cold->job.result_fd, .events = POLLIN}, 1,
			    LOG_PROGRESS_NS / 1000000) == 0)
			snapshot_show_progress(&cold->job);
		collect(cold);
	}
	*ret_status = supervise_exit_status(cold->supervise->wait_status);
	return 0;
}
