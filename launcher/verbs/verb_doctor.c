/* jsnap doctor: what this place allows, which way original TIDs would be obtained, and what would
 * allow more. Exit status 0 when a restore can work here, else 1. */
#include "launcher/verbs/verbs.h"

#include "launcher/report/json.h"
#include "launcher/doctor/probe.h"

#include <string.h>

static const struct {
	enum tids_way way;
	enum probe_id probe;
} ladder[] = {
	{TIDS_CLONE3, PROBE_CLONE3},
	{TIDS_USERNS, PROBE_USERNS},
	{TIDS_NS_LAST_PID, PROBE_NS_LAST_PID},
	{TIDS_WALK, PROBE_WALK},
};

static enum tids_way used_way(const struct settings *settings, const struct place *place)
{
	if (settings->tids == TIDS_AUTO)
		return probe_best_way(place);
	return probe_way_works(place, settings->tids) ? settings->tids : TIDS_AUTO;
}

static void print_probe(const struct place *place, enum probe_id id, FILE *out)
{
	char advice[PROBE_ADVICE_SIZE];
	int why = place->results[id];

	if (why == 0) {
		fprintf(out, "  yes  %s\n", probes[id].what);
		return;
	}
	fprintf(out, "  no   %s: %s\n", probes[id].what, probe_why(place, id));
	probe_advice(place, id, advice, sizeof(advice));
	if (*advice)
		fprintf(out, "         -> %s\n", advice);
}

static void print_number(const char *name, long value, FILE *out)
{
	if (value >= 0)
		fprintf(out, "  %-28s %ld\n", name, value);
}

static void print_place(const struct place *place, pid_t first_tid, FILE *out)
{
	static const char *const modes[] = {"none", "strict", "filter"};

	fputs("This place:\n", out);
	fprintf(out, "  %-28s %s%s%s\n", "executable", place->executable,
		place->has_file_cap ? ", with cap_checkpoint_restore" : "",
		place->is_nosuid ? ", on a nosuid mount" : "");
	fprintf(out, "  %-28s %s\n", "CAP_CHECKPOINT_RESTORE",
		place->holds_cap      ? "held"
		: place->may_hold_cap ? "not held"
				      : "not held, and outside the bounding set");
	fprintf(out, "  %-28s %s\n", "no_new_privs", place->no_new_privs ? "set" : "not set");
	if (place->seccomp >= 0 && place->seccomp <= 2)
		fprintf(out,
			"  %-28s %s; a snapshot is refused where there are fewer filters than "
			"it was taken under (--lsm ignore)\n",
			"seccomp", modes[place->seccomp]);
	fprintf(out, "  %-28s %s%s%s\n", "security modules", *place->lsm ? place->lsm : "unknown",
		*place->lsm_label ? ", label " : "", place->lsm_label);
	fprintf(out, "  %-28s %s\n", "container", place->container ? "yes" : "no sign of one");
	print_number("kernel.pid_max", place->pid_max, out);
	print_number("last PID given out", place->last_pid, out);
	if (place->step_ns)
		fprintf(out,
			"  %-28s %.1f us for each number; to a snapshot taken with "
			"--first-tid %d: %s\n",
			"walking costs", (double)place->step_ns / 1e3, (int)first_tid,
			place->last_pid < first_tid ? "in reach" : "the counter is past it");
	print_number("kernel.yama.ptrace_scope", place->yama, out);
	fprintf(out,
		"  %-28s up for %.1f hours; all ways but userns refuse snapshots of a machine that "
		"was up for longer\n",
		"clocks", (double)place->up_ns / 3600e9);
}

static void print_text(const struct settings *settings, const struct place *place, FILE *out)
{
	enum tids_way used = used_way(settings, place);
	bool restore = probe_can_restore(place, settings->tids);

	fputs("Original TIDs, in the order in which they are tried:\n", out);
	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++) {
		fprintf(out, "%s%s:\n", tids_way_name(ladder[i].way),
			ladder[i].way == used ? " (used)" : "");
		print_probe(place, ladder[i].probe, out);
		if (ladder[i].way == TIDS_USERNS && place->results[PROBE_USERNS] == 0) {
			print_probe(place, PROBE_TIME_NS, out);
			print_probe(place, PROBE_PROC_MOUNT, out);
		}
	}
	fputs("Everything else:\n", out);
	for (int i = PROBE_PTRACE; i < PROBE_COUNT; i++)
		print_probe(place, (enum probe_id)i, out);
	print_place(place, settings->first_tid ? settings->first_tid : 100, out);
	fprintf(out, "Result: a snapshot %s be taken here; it %s be restored here",
		probe_can_checkpoint(place) ? "can" : "cannot", restore ? "can" : "cannot");
	if (restore)
		fprintf(out, " (tids: %s)", tids_way_name(used));
	fputs(".\n", out);
}

static void json_probe(struct json *json, const struct place *place, enum probe_id id)
{
	char advice[PROBE_ADVICE_SIZE];
	int why = place->results[id];

	probe_advice(place, id, advice, sizeof(advice));
	json_open(json, probes[id].name, '{');
	json_bool(json, "works", why == 0);
	json_string(json, "error", why ? probe_why(place, id) : NULL);
	json_string(json, "advice", why && *advice ? advice : NULL);
	json_close(json, '}');
}

static void json_place(struct json *json, const struct place *place)
{
	json_open(json, "place", '{');
	json_string(json, "executable", place->executable);
	json_bool(json, "file_capability", place->has_file_cap);
	json_bool(json, "nosuid", place->is_nosuid);
	json_bool(json, "capability_held", place->holds_cap);
	json_bool(json, "capability_in_bounding_set", place->may_hold_cap);
	json_bool(json, "no_new_privs", place->no_new_privs);
	json_number(json, "seccomp", place->seccomp);
	json_string(json, "lsm", *place->lsm ? place->lsm : NULL);
	json_string(json, "lsm_label", *place->lsm_label ? place->lsm_label : NULL);
	json_bool(json, "container", place->container);
	json_number(json, "pid_max", place->pid_max);
	json_number(json, "last_pid", place->last_pid);
	json_number(json, "walk_step_us", (double)place->step_ns / 1e3);
	json_number(json, "yama_ptrace_scope", place->yama);
	json_number(json, "up_seconds", (double)place->up_ns / 1e9);
	json_close(json, '}');
}

static void print_json(const struct settings *settings, const struct place *place, FILE *out)
{
	struct json json = {.out = out};
	enum tids_way used = used_way(settings, place);

	json_open(&json, NULL, '{');
	json_bool(&json, "can_checkpoint", probe_can_checkpoint(place));
	json_bool(&json, "can_restore", probe_can_restore(place, settings->tids));
	json_string(&json, "tids", used == TIDS_AUTO ? NULL : tids_way_name(used));
	json_open(&json, "probes", '{');
	for (int i = 0; i < PROBE_COUNT; i++)
		json_probe(&json, place, (enum probe_id)i);
	json_close(&json, '}');
	json_place(&json, place);
	json_close(&json, '}');
}

int verb_doctor(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	struct place place;

	probe_place(settings->walk_budget_ns, &place);
	if (settings->json)
		print_json(settings, &place, stdout);
	else
		print_text(settings, &place, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	*ret_status = probe_can_restore(&place, settings->tids) ? 0 : 1;
	return 0;
}
