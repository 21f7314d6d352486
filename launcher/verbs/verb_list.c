/* jsnap list: the store's snapshots, newest first. */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "launcher/report/amount.h"
#include "launcher/report/json.h"
#include "launcher/store/store.h"

#include <string.h>

#define KEY_SHOWN 12 /* digits: enough to be unique, short enough to read */

static void print_text(const struct store_entries *entries, const char *folder, FILE *out)
{
	int width = (int)strlen("NAME");
	char total[2][AMOUNT_SIZE];
	uint64_t images = 0, hots = 0;

	if (entries->count == 0) {
		fprintf(out, "No snapshots in %s.\n", folder);
		return;
	}
	for (size_t i = 0; i < entries->count; i++)
		if ((int)strlen(entries->entries[i].name) > width)
			width = (int)strlen(entries->entries[i].name);
	fprintf(out, "%-*s  %-*s  %9s  %9s  %s\n", width, "NAME", KEY_SHOWN, "KEY", "IMAGE",
		"HOT COPY", "TAKEN");
	for (size_t i = 0; i < entries->count; i++) {
		const struct store_entry *e = &entries->entries[i];
		char image[AMOUNT_SIZE], hot[AMOUNT_SIZE] = "-", age[AMOUNT_SIZE];

		amount_bytes(e->image_size, image);
		if (e->hot_size)
			amount_bytes(e->hot_size, hot);
		amount_age(e->mtime_ns, age);
		fprintf(out, "%-*s  %.*s  %9s  %9s  %s\n", width, e->name, KEY_SHOWN, e->key, image,
			hot, age);
		images += e->image_size;
		hots += e->hot_size;
	}
	amount_bytes(images, total[0]);
	amount_bytes(hots, total[1]);
	fprintf(out, "%-*s  %-*s  %9s  %9s\n", width, "ALL", KEY_SHOWN, "", total[0], total[1]);
}

static void print_json(const struct store_entries *entries, const char *folder, FILE *out)
{
	struct json json = {.out = out};
	uint64_t images = 0, hots = 0;

	json_open(&json, NULL, '{');
	json_string(&json, "store", folder);
	json_open(&json, "snapshots", '[');
	for (size_t i = 0; i < entries->count; i++) {
		const struct store_entry *e = &entries->entries[i];
		char taken[AMOUNT_SIZE];

		images += e->image_size;
		hots += e->hot_size;
		amount_time(e->mtime_ns, taken);
		json_open(&json, NULL, '{');
		json_string(&json, "name", e->name);
		json_string(&json, "key", e->key);
		json_string(&json, "image", e->image);
		json_number(&json, "image_bytes", (int64_t)e->image_size);
		json_number(&json, "hot_bytes", (int64_t)e->hot_size);
		json_string(&json, "taken", taken);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_number(&json, "image_bytes", (int64_t)images);
	json_number(&json, "hot_bytes", (int64_t)hots);
	json_close(&json, '}');
}

int verb_list(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	CLEANUP_FREE char *folder = NULL;
	int r = store_path(settings, &folder, err);

	if (r == 0)
		r = store_list(settings, &entries, err);
	if (r < 0)
		return r;
	if (settings->json)
		print_json(&entries, folder, stdout);
	else
		print_text(&entries, folder, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	*ret_status = 0;
	return 0;
}
