/* See prune.h. */
#include "launcher/store/prune.h"

#include "launcher/report/amount.h"

#include <stdio.h>

static void choose_by_age(const struct settings *settings, const struct store_entry *entry,
			  int64_t now_ns, struct prune_choice *choice)
{
	char age[AMOUNT_SIZE];

	if (choice->remove || !settings->older_than_ns || now_ns < entry->mtime_ns ||
	    (uint64_t)(now_ns - entry->mtime_ns) <= settings->older_than_ns)
		return;
	amount_age(entry->mtime_ns, age);
	choice->remove = true;
	snprintf(choice->why, sizeof(choice->why), "taken %s", age);
}

static void choose_by_size(const struct settings *settings, const struct store_entries *entries,
			   struct prune_choice *choices)
{
	uint64_t kept = 0;

	/* newest first: the first that does not fit and all older ones go */
	for (size_t i = 0; i < entries->count; i++) {
		const struct store_entry *entry = &entries->entries[i];

		if (choices[i].remove)
			continue;
		kept += entry->image_size + entry->hot_size;
		if (kept <= settings->larger_than)
			continue;
		choices[i].remove = true;
		snprintf(choices[i].why, sizeof(choices[i].why), "the store is too large");
	}
}

void prune_choose(const struct settings *settings, const struct store_entries *entries,
		  int64_t now_ns, struct prune_choice *choices)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (settings->all && !choices[i].remove) {
			choices[i].remove = true;
			snprintf(choices[i].why, sizeof(choices[i].why), "all");
		}
		choose_by_age(settings, &entries->entries[i], now_ns, &choices[i]);
	}
	if (settings->larger_than)
		choose_by_size(settings, entries, choices);
}
