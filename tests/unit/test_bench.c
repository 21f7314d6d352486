/* jsnap bench's statistics, and the structure of its JSON and its chart. */
#include "launcher/bench/bench.h"

#include "check.h"

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define NEAR(a, b)	CHECK((a) - (b) < 1e-9 && (b) - (a) < 1e-9)

static struct bench_table table = {.name = "a<b",
				   .request = "http://127.0.0.1:1/",
				   .warmups = 1,
				   .count = 2,
				   .image_bytes = 2e6,
				   .pages_bytes = 8e6,
				   .pause = 0.05};

static void test_series(void)
{
	static struct bench_series s, base;
	struct bench_summary t;
	double ratio[3];

	bench_series_summarize(&s, &t);
	NEAR(t.max, 0);
	for (int i = 0; i < 20; i++)
		CHECK(bench_series_add(&s, 20 - i));
	bench_series_summarize(&s, &t);
	NEAR(t.min, 1);
	NEAR(t.median, 10.5);
	NEAR(t.p95, 19);
	NEAR(t.max, 20);
	NEAR(t.mean, 10.5);
	NEAR(t.stddev * t.stddev, 35);
	while (bench_series_add(&base, 40))
		;
	CHECK_EQ(base.count, BENCH_MAX_RUNS);
	bench_series_ratio(&base, &s, ratio);
	NEAR(ratio[0], 2);
	NEAR(ratio[1], 40 / 10.5);
	NEAR(ratio[2], 40);
}

static char *text_of(void (*write_it)(const struct bench_table *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	write_it(&table, out);
	CHECK_EQ(fclose(out), 0);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void test_outputs(void)
{
	struct bench_variant *v = table.variants;
	char *text;

	v[0].name = "java";
	v[1].name = "hot";
	v[0].title = "java";
	v[1].title = "restore & go";
	for (int i = 0; i < 3; i++) {
		bench_series_add(&v[0].seconds, 2);
		bench_series_add(&v[1].seconds, 0.02);
		bench_series_add(&v[1].pss, 4e6);
	}
	bench_table_finish(&table);
	text = text_of(bench_table_text);
	HAS(text, "100.0 (100.0-100.0)");
	HAS(text, "image 2.0 MB");
	free(text);
	text = text_of(bench_table_json);
	HAS(text, "\"results\": [");
	HAS(text, "\"median\": 0.02");
	HAS(text, "\"variant\": \"hot\"");
	CHECK_EQ(count(text, "\"exit_codes\""), 2);
	CHECK_EQ(count(text, "{"), count(text, "}"));
	free(text);
	text = text_of(bench_table_svg);
	HAS(text, "a&lt;b");
	HAS(text, "restore &amp; go");
	HAS(text, "100 times<");
	HAS(text, "4 MB<");
	CHECK_EQ(count(text, "<circle"), 6);
	CHECK_EQ(count(text, "<text"), count(text, "</text>"));
	CHECK(!strstr(text, "nan") && !strstr(text, "inf\""));
	free(text);
}

int main(void)
{
	test_series();
	test_outputs();
	return 0;
}
