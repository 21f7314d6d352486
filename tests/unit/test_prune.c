/* Which snapshots prune removes, and how amounts and JSON are written. */
#include "check.h"

#include "launcher/report/amount.h"
#include "launcher/report/json.h"
#include "launcher/store/prune.h"

#define DAY 86400000000000ll

static char name[] = "app";

static void chooses(const struct settings *settings, const char *expected)
{
	struct store_entry list[4] = {
		{.name = name, .image_size = 100, .hot_size = 400, .mtime_ns = 99 * DAY},
		{.name = name, .image_size = 100, .mtime_ns = 98 * DAY},
		{.name = name, .image_size = 300, .mtime_ns = 90 * DAY},
		{.name = name, .image_size = 10, .mtime_ns = 101 * DAY},
	};
	struct store_entries entries = {list, 4};
	struct prune_choice choices[4] = {0};
	char text[5] = "";

	prune_choose(settings, &entries, 100 * DAY, choices);
	for (int i = 0; i < 4; i++) {
		text[i] = choices[i].remove ? 'x' : '.';
		CHECK_EQ(choices[i].why[0] != '\0', choices[i].remove);
	}
	CHECK_STR(text, expected);
}

static void test_choose(void)
{
	chooses(&(struct settings){0}, "....");
	chooses(&(struct settings){.all = true}, "xxxx");
	chooses(&(struct settings){.older_than_ns = 5 * DAY}, "..x.");
	chooses(&(struct settings){.older_than_ns = DAY}, ".xx.");
	chooses(&(struct settings){.larger_than = 10000}, "....");
	chooses(&(struct settings){.larger_than = 610}, "..xx");
	chooses(&(struct settings){.larger_than = 1}, "xxxx");
	/* what age removes does not count */
	chooses(&(struct settings){.larger_than = 610, .older_than_ns = 5 * DAY}, "..x.");
}

static void test_amounts(void)
{
	char text[AMOUNT_SIZE];

	amount_bytes(0, text);
	CHECK_STR(text, "0 B");
	amount_bytes(56400000, text);
	CHECK_STR(text, "56 MB");
	amount_bytes(999999, text);
	CHECK_STR(text, "1.0 MB");
	amount_bytes(UINT64_MAX, text);
	CHECK_STR(text, "18 EB");
	amount_time(1767225600ll * 1000000000, text);
	CHECK_STR(text, "2026-01-01T00:00:00Z");
}

static void test_json(void)
{
	char *text = NULL;
	size_t size;
	struct json json = {.out = open_memstream(&text, &size)};

	json_open(&json, NULL, '{');
	json_string(&json, "a\"b", "\x01\\ \xc3\xa4 \xff \xed\xa0\x80");
	json_open(&json, "empty", '[');
	json_close(&json, ']');
	json_open(&json, "list", '[');
	json_number(&json, NULL, -1);
	json_bool(&json, NULL, true);
	json_string(&json, NULL, NULL);
	json_close(&json, ']');
	json_close(&json, '}');
	fclose(json.out);
	CHECK_STR(text, "{\n  \"a\\\"b\": \"\\u0001\\\\ \xc3\xa4 \\ufffd \\ufffd\\ufffd\\ufffd\",\n"
			"  \"empty\": [],\n  \"list\": [\n    -1,\n    true,\n    null\n  ]\n}\n");
	free(text);
}

int main(void)
{
	test_choose();
	test_amounts();
	test_json();
	return 0;
}
