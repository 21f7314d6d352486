/*
 * jsnap verify: is every byte of a snapshot as it was written, and would it restore here? Exit
 * status 0 when all are whole and would, else 1.
 */
#include "launcher/verbs/verbs.h"

#include "base/fault.h"
#include "launcher/restore/confinement.h"
#include "launcher/restore/heap_limit.h"
#include "launcher/report/amount.h"
#include "launcher/report/json.h"
#include "launcher/report/log.h"
#include "launcher/key/key.h"
#include "launcher/store/opened.h"
#include "launcher/store/probation.h"
#include "launcher/store/trust.h"
#include "launcher/verbs/uniqueness.h"
#include "restore/restore.h"

#include <errno.h>
#include <unistd.h>

struct verdict {
	bool whole, restores;
	bool unread;	/* nothing is known of the image itself */
	char why[1100]; /* of the first thing that is wrong; "" when nothing is */
	bool unique;
	char random[4096]; /* --uniqueness: what was compared, or is shared; "" without it */
	char hot[1100];	   /* what is wrong with the hot copy, "" when it is good or not there */
};

/* The hot copy is a cache: a bad one is worth a word, and costs nothing but time. */
static void verify_hot(const struct settings *settings, const struct opened *opened,
		       struct verdict *verdict)
{
	CLEANUP_HOT struct hot hot = {.fd = -1};
	const struct image_header *header = image_header(opened->image);
	const struct image_seal *seal = image_seal(opened->image);
	struct image_origin origin;
	struct jsnap_error err = {0};

	if (!opened->slot.hot || access(opened->slot.hot, F_OK) < 0 ||
	    store_place(&opened->slot, PLACE_HOT, NULL) < 0)
		return;
	if (settings->hot_copy && !trust_keeps_copy(settings, header->protection))
		snprintf(verdict->hot, sizeof(verdict->hot),
			 "%s holds in plain what the image encrypts: remove it", opened->slot.hot);
	else if (image_origin(opened->fd, header, &origin, &err) < 0 ||
		 hot_open(opened->slot.hot, &origin, seal, &hot, &err) < 0 ||
		 hot_verify(&hot, seal, &err) < 0)
		snprintf(verdict->hot, sizeof(verdict->hot), "%s", err.text);
}

static int check_place(const struct settings *settings, const struct opened *opened,
		       struct jsnap_error *err)
{
	const struct image_header *header = image_header(opened->image);
	const struct manifest *m = image_manifest(opened->image);
	struct machine machine;
	struct restore_options options = {
		.manifest = m, .stream_fd = -1, .machine = &machine, .vouch = key_vouches};
	char reason[512];
	int r;

	if (opened->slot.bad && probation_bad(&opened->slot, &header->id, reason, sizeof(reason)))
		return error_set(err, ESTALE, "%s", reason);
	r = confinement_check_here(header, m, settings->lsm, err);

	if (r < 0)
		return r;
	machine_here(fault_system_root(), &machine);
	r = heap_limit_check(m, machine.memory_limit, err);
	if (r < 0)
		return r;
	if (key_recheck(m, reason, sizeof(reason)) != 0)
		return error_set(err, ESTALE, "%s", reason);
	return restore_validate(&options, err);
}

/* An error of this moment, place or user, and none of the image. */
static bool says_nothing(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EIO || r == -EMFILE || r == -ENFILE ||
	       r == -ENOMEM;
}

static void judge(const struct settings *settings, const char *word, bool is_path,
		  struct verdict *verdict)
{
	CLEANUP_OPENED struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};
	static char what[] = "verifying";
	struct jsnap_error err = {0};
	int r = is_path ? opened_open(settings, word, &opened, &err)
			: opened_find(settings, word, &opened, &err);

	if (r == 0) {
		image_watch(opened.image, amount_progress, what);
		r = image_verify(opened.image, 0, &err);
		log_progress_end();
	}
	verdict->whole = r == 0;
	verdict->unread = says_nothing(r);
	if (r == 0) {
		verify_hot(settings, &opened, verdict);
		r = check_place(settings, &opened, &err);
	}
	verdict->restores = r == 0;
	if (r == 0 && settings->uniqueness) {
		r = uniqueness_check(settings, opened.fd, opened.slot.image ? &opened.slot : NULL,
				     verdict->random, sizeof(verdict->random), &err);
		verdict->unique = r == 0;
		if (r < 0)
			snprintf(verdict->random, sizeof(verdict->random),
				 "it could not be told: %s", err.text);
		return;
	}
	snprintf(verdict->why, sizeof(verdict->why), "%s", err.text);
}

static void print_text(const char *word, const struct verdict *verdict, FILE *out)
{
	if (!verdict->whole)
		fprintf(out, "%s: %s: %s\n", word, verdict->unread ? "could not be checked" : "bad",
			verdict->why);
	else if (!verdict->restores)
		fprintf(out, "%s: whole, but would not restore here: %s\n", word, verdict->why);
	else
		fprintf(out, "%s: whole, and would restore here\n", word);
	if (*verdict->random)
		fprintf(out, "%s: two restores %s: %s\n", word,
			verdict->unique ? "share nothing" : "may share random numbers",
			verdict->random);
	if (*verdict->hot)
		fprintf(out, "%s: its hot copy is of no use and will be made again: %s\n", word,
			verdict->hot);
}

static void print_json(const char *word, const struct verdict *verdict, struct json *json)
{
	json_open(json, NULL, '{');
	json_string(json, "snapshot", word);
	json_bool(json, "whole", verdict->whole);
	json_bool(json, "restores", verdict->restores);
	json_string(json, "reason", *verdict->why ? verdict->why : NULL);
	if (*verdict->random) {
		json_bool(json, "unique", verdict->unique);
		json_string(json, "random", verdict->random);
	}
	json_string(json, "hot_copy", *verdict->hot ? verdict->hot : NULL);
	json_close(json, '}');
}

int verb_verify(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	struct json json = {.out = stdout};
	bool all = settings->argc == 0, good = true, any = false;
	int r = all ? store_list(settings, &entries, err) : 0;
	size_t n = all ? entries.count : (size_t)settings->argc;

	if (r < 0)
		return r;
	fault_stop("verify");
	log_show_progress();
	if (settings->json)
		json_open(&json, NULL, '[');
	for (size_t i = 0; i < n; i++) {
		const char *word = all ? entries.entries[i].image : settings->argv[i];
		struct verdict verdict = {0};

		judge(settings, word, all, &verdict);
		/* Removed since it was listed: one less. */
		if (all && !verdict.whole && access(word, F_OK) < 0 && errno == ENOENT)
			continue;
		any = true;
		good &= verdict.whole && verdict.restores &&
			(!settings->uniqueness || verdict.unique);
		if (settings->json)
			print_json(word, &verdict, &json);
		else
			print_text(word, &verdict, stdout);
	}
	if (settings->json)
		json_close(&json, ']');
	else if (!any)
		puts("No snapshots in the store.");
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	*ret_status = good ? 0 : 1;
	return 0;
}
