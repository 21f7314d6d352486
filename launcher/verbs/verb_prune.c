/*
 * jsnap prune: removes snapshots by age, size, staleness or name, and what dead writers left. One
 * that is in use (restoring, or being replaced) stays.
 */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "launcher/report/amount.h"
#include "launcher/report/json.h"
#include "launcher/key/key.h"
#include "launcher/store/opened.h"
#include "launcher/store/prune.h"

#include <string.h>
#include <time.h>

struct pruning {
	const struct settings *settings;
	struct store_entries entries;
	struct prune_choice *choices;
	struct json json;
	size_t removed, failed;
	uint64_t bytes;
};

static void pruning_free(struct pruning *p)
{
	store_entries_free(&p->entries);
	free(p->choices);
}

static void choose(struct prune_choice *choice, const char *why)
{
	choice->remove = true;
	snprintf(choice->why, sizeof(choice->why), "%s", why);
}

static int choose_named(struct pruning *p, struct jsnap_error *err)
{
	for (int i = 0; i < p->settings->argc; i++) {
		CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
		int r = store_find(p->settings, p->settings->argv[i], &slot, err);
		size_t k = 0;

		if (r < 0)
			return r;
		while (k < p->entries.count && strcmp(p->entries.entries[k].image, slot.image) != 0)
			k++;
		if (k == p->entries.count)
			return error_set(err, ENOENT, "%s is not in the store; remove it with rm",
					 slot.image);
		choose(&p->choices[k], "named");
	}
	return 0;
}

static void choose_stale(struct pruning *p)
{
	for (size_t i = 0; i < p->entries.count; i++) {
		CLEANUP_OPENED struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};
		struct jsnap_error err = {0};
		char reason[512];

		int r = opened_open(p->settings, p->entries.entries[i].image, &opened, &err);

		/* what could not be opened for another reason may be good tomorrow */
		if (r == -EBADMSG || r == -ENOTSUP)
			choose(&p->choices[i], err.text);
		else if (r == 0 &&
			 key_recheck(image_manifest(opened.image), reason, sizeof(reason)) != 0)
			choose(&p->choices[i], reason);
	}
}

static void tell(struct pruning *p, const struct store_entry *entry, const char *what,
		 const char *why)
{
	char size[AMOUNT_SIZE];

	if (p->settings->json) {
		json_open(&p->json, NULL, '{');
		json_string(&p->json, "name", entry->name);
		json_string(&p->json, "key", entry->key);
		json_number(&p->json, "bytes", (int64_t)(entry->image_size + entry->hot_size));
		json_string(&p->json, "action", what);
		json_string(&p->json, "reason", why);
		json_close(&p->json, '}');
		return;
	}
	amount_bytes(entry->image_size + entry->hot_size, size);
	if (!p->settings->quiet)
		printf("%s %s-%.12s (%s): %s\n", what, entry->name, entry->key, size, why);
}

/* What can't be removed keeps nothing else in the store; `err` is of the first. */
static void prune_entry(struct pruning *p, size_t i, struct jsnap_error *err)
{
	const struct store_entry *entry = &p->entries.entries[i];
	struct jsnap_error problem = {0};
	int r = p->settings->dry_run ? 0 : store_remove_entry(entry, &problem);

	if (r == -EWOULDBLOCK || r == -ESTALE) {
		tell(p, entry, "kept", r == -ESTALE ? "it is another by now, or gone" : "in use");
		return;
	}
	if (r < 0) {
		tell(p, entry, "kept", problem.text);
		if (!p->failed++)
			*err = problem;
		return;
	}
	p->removed++;
	p->bytes += entry->image_size + entry->hot_size;
	tell(p, entry, p->settings->dry_run ? "would remove" : "removed", p->choices[i].why);
}

static void remove_chosen(struct pruning *p, struct jsnap_error *err)
{
	if (p->settings->json)
		json_open(&p->json, NULL, '[');
	for (size_t i = 0; i < p->entries.count; i++)
		if (p->choices[i].remove)
			prune_entry(p, i, err);
	if (p->settings->json)
		json_close(&p->json, ']');
}

static int sweep(const struct settings *settings, struct jsnap_error *err)
{
	CLEANUP_FREE char *folder = NULL;
	int r = store_path(settings, &folder, err);

	if (r < 0 || access(folder, F_OK) < 0)
		return r;
	return store_sweep(folder, err);
}

int verb_prune(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	__attribute__((cleanup(pruning_free))) struct pruning p = {.settings = settings,
								   .json = {.out = stdout}};
	char size[AMOUNT_SIZE];
	int r = store_list(settings, &p.entries, err);

	if (r < 0)
		return r;
	p.choices = calloc(p.entries.count + 1, sizeof(*p.choices));
	if (!p.choices)
		return error_set(err, ENOMEM, "out of memory");
	r = choose_named(&p, err);
	if (r == 0 && settings->stale)
		choose_stale(&p);
	if (r == 0) {
		prune_choose(settings, &p.entries, (int64_t)time(NULL) * 1000000000, p.choices);
		fault_stop("prune");
		remove_chosen(&p, err);
	}
	if (r == 0 && !settings->dry_run)
		r = sweep(settings, err);
	if (r < 0)
		return r;
	amount_bytes(p.bytes, size);
	if (!settings->json && !settings->quiet)
		printf("%s %zu of %zu snapshots, %s\n",
		       settings->dry_run ? "would remove" : "removed", p.removed, p.entries.count,
		       size);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	if (p.failed)
		return error_context(err, "%zu of the snapshots could not be removed", p.failed);
	*ret_status = 0;
	return 0;
}
