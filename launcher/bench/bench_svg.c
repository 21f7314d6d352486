/*
 * See bench.h: the chart. A row for each variant on a logarithmic scale: a dot for each run, a band
 * from least to greatest, a bar at the median, and the figures beside it. Cold starts are warm in
 * color, restores cool.
 */
#include "launcher/bench/bench.h"

#include <math.h>
#include <string.h>

#define WIDTH 1040
#define LEFT  210 /* of the scale */
#define RIGHT 700
#define TOP   96
#define ROW   54

static void put_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= 0x20)
			fputc(*text, out);
	}
}

struct scale {
	int low, high; /* powers of ten, seconds */
};

static struct scale find_scale(const struct bench_table *table)
{
	struct scale scale = {.low = 0, .high = -3};

	for (size_t i = 0; i < table->count; i++) {
		const struct bench_summary *t = &table->variants[i].time;

		if (t->min <= 0)
			continue;
		scale.low = (int)fmin(scale.low, floor(log10(t->min)));
		scale.high = (int)fmax(scale.high, ceil(log10(t->max)));
	}
	if (scale.high <= scale.low)
		scale.high = scale.low + 1;
	return scale;
}

static double place(const struct scale *scale, double seconds)
{
	double at = seconds > 0 ? log10(seconds) : scale->low;

	return LEFT + (RIGHT - LEFT) * (at - scale->low) / (scale->high - scale->low);
}

static void write_grid(const struct scale *scale, int bottom, FILE *out)
{
	for (int power = scale->low; power <= scale->high; power++) {
		double x = place(scale, pow(10, power));

		for (int i = 2; i < 10 && power < scale->high; i++)
			fprintf(out,
				"<line class=\"minor\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
				"y2=\"%d\"/>\n",
				place(scale, i * pow(10, power)), TOP,
				place(scale, i * pow(10, power)), bottom);
		fprintf(out,
			"<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n"
			"<text class=\"axis\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">",
			x, TOP - 6, x, bottom + 6, x, bottom + 22);
		if (power < 0)
			fprintf(out, "%g ms</text>\n", pow(10, power + 3));
		else
			fprintf(out, "%g s</text>\n", pow(10, power));
	}
}

static void write_runs(const struct bench_variant *v, const struct scale *scale, double y,
		       const char *color, FILE *out)
{
	const struct bench_summary *t = &v->time;
	double low = place(scale, t->min), high = place(scale, t->max);

	fprintf(out,
		"<rect fill=\"%s\" fill-opacity=\"0.18\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"26\" rx=\"6\"/>\n",
		color, low - 6, y - 13, high - low + 12);
	for (size_t i = 0; i < v->seconds.count; i++)
		fprintf(out,
			"<circle fill=\"%s\" fill-opacity=\"0.6\" cx=\"%.1f\" cy=\"%.1f\" "
			"r=\"3.5\"/>\n",
			color, place(scale, v->seconds.values[i]), y + (double)(i % 5) * 4 - 8);
	fprintf(out,
		"<rect fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"3\" height=\"34\" rx=\"1.5\"/>\n",
		color, place(scale, t->median) - 1.5, y - 17);
}

static void write_row(const struct bench_variant *v, bool is_base, const struct scale *scale,
		      double y, const char *color, FILE *out)
{
	bool in_seconds = v->time.median >= 1;
	struct bench_summary pss;

	fprintf(out, "<text class=\"name\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">", LEFT - 18,
		y + 5);
	put_escaped(v->title, out);
	fputs("</text>\n", out);
	write_runs(v, scale, y, color, out);
	fprintf(out,
		"<text class=\"time\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%.*f %s</text>\n",
		RIGHT + 110, y + 5,
		in_seconds	       ? 2
		: v->time.median < 0.1 ? 1
				       : 0,
		v->time.median * (in_seconds ? 1 : 1e3), in_seconds ? "s" : "ms");
	if (!is_base && v->ratio[1] > 0)
		fprintf(out,
			"<text class=\"name\" text-anchor=\"end\" fill=\"%s\" x=\"%d\" "
			"y=\"%.1f\">%.*f times</text>\n",
			color, RIGHT + 210, y + 5, v->ratio[1] < 10 ? 1 : 0, v->ratio[1]);
	bench_series_summarize(&v->pss, &pss);
	if (pss.median > 0)
		fprintf(out,
			"<text class=\"name\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%.0f MB"
			"</text>\n",
			WIDTH - 24, y + 5, pss.median / 1e6);
}

static bool is_restore(const struct bench_variant *v)
{
	return v->name && (strcmp(v->name, "hot") == 0 || strcmp(v->name, "zstd") == 0 ||
			   strcmp(v->name, "dropped") == 0);
}

static void write_rows(const struct bench_table *table, const struct scale *scale, FILE *out)
{
	static const char *const colors[2][3] = {{"#b03a1e", "#c98a12", "#8c5a2b"},
						 {"#0b6e8a", "#2b8a5a", "#5b5ea6"}};
	size_t used[2] = {0};

	for (size_t i = 0; i < table->count; i++) {
		const struct bench_variant *v = &table->variants[i];
		bool restore = is_restore(v);

		write_row(v, i == 0, scale, TOP + ROW * ((double)i + 0.5),
			  colors[restore][used[restore]++ % 3], out);
	}
}

static void write_head(const struct bench_table *table, int height, FILE *out)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n<style>text { font-family: sans-serif } "
		".title { font-size: 21px; font-weight: bold } .name, .time { font-size: 15px } "
		".time { font-weight: bold } .axis, .note { font-size: 12px; fill: #666 } "
		".grid { stroke: #bbb } .minor { stroke: #eee }</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text class=\"title\" x=\"24\" y=\"36\">",
		WIDTH, height, WIDTH, height);
	put_escaped(table->name, out);
	fputs(table->request ? ": time to the first response" : ": time until it ends", out);
	fprintf(out,
		"</text>\n<text class=\"note\" x=\"24\" y=\"58\">a dot for each of %zu runs, by "
		"turns on one machine; the bar is the median; logarithmic scale</text>\n",
		table->count ? table->variants[0].seconds.count : 0);
	fprintf(out,
		"<g class=\"note\" text-anchor=\"end\"><text class=\"note\" x=\"%d\" "
		"y=\"%d\">median"
		"</text><text class=\"note\" x=\"%d\" y=\"%d\">sooner</text>"
		"<text class=\"note\" x=\"%d\" y=\"%d\">PSS</text></g>\n",
		RIGHT + 110, TOP - 10, RIGHT + 210, TOP - 10, WIDTH - 24, TOP - 10);
}

void bench_table_svg(const struct bench_table *table, FILE *out)
{
	struct scale scale = find_scale(table);
	int bottom = TOP + (int)table->count * ROW;

	write_head(table, bottom + 44, out);
	write_grid(&scale, bottom, out);
	write_rows(table, &scale, out);
	fputs("</svg>\n", out);
}
