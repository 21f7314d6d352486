/*
 * See bench.h: the chart. A row for each variant on a logarithmic scale: a dot for each run, a line
 * from least to greatest, a bar at the median, and the figures beside it.
 */
#include "launcher/bench.h"

#include <math.h>

#define WIDTH 960
#define LEFT  220 /* of the scale */
#define RIGHT 690
#define TOP   84
#define ROW   52

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

		fprintf(out,
			"<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n"
			"<text class=\"axis\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">",
			x, TOP - 8, x, bottom, x, bottom + 18);
		if (power < 0)
			fprintf(out, "%g ms</text>\n", pow(10, power + 3));
		else
			fprintf(out, "%g s</text>\n", pow(10, power));
	}
}

static void write_row(const struct bench_variant *v, const struct scale *scale, double y,
		      const char *color, FILE *out)
{
	const struct bench_summary *t = &v->time;

	fprintf(out, "<text class=\"name\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">", LEFT - 16,
		y + 5);
	put_escaped(v->title, out);
	fprintf(out,
		"</text>\n<line stroke=\"%s\" stroke-width=\"2\" x1=\"%.1f\" y1=\"%.1f\" "
		"x2=\"%.1f\" y2=\"%.1f\"/>\n",
		color, place(scale, t->min), y, place(scale, t->max), y);
	for (size_t i = 0; i < v->seconds.count; i++)
		fprintf(out,
			"<circle fill=\"%s\" fill-opacity=\"0.45\" cx=\"%.1f\" cy=\"%.1f\" "
			"r=\"4\"/>\n",
			color, place(scale, v->seconds.values[i]), y + (double)(i % 5) * 3 - 6);
	fprintf(out,
		"<rect fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"26\"/>\n"
		"<text class=\"name\" x=\"%d\" y=\"%.1f\">%.*f ms",
		color, place(scale, t->median) - 2, y - 13, RIGHT + 20, y + 5,
		t->median < 0.1 ? 1 : 0, t->median * 1e3);
	if (v->ratio[1] > 0 && (v->ratio[1] < 0.999 || v->ratio[1] > 1.001))
		fprintf(out, " <tspan class=\"ratio\">%.*f times sooner</tspan>",
			v->ratio[1] < 10 ? 1 : 0, v->ratio[1]);
	fputs("</text>\n", out);
}

void bench_table_svg(const struct bench_table *table, FILE *out)
{
	static const char *const colors[] = {"#9a3b26", "#b7791f", "#8a6d3b",
					     "#1f6f8b", "#3a8f6b", "#5b5ea6"};
	struct scale scale = find_scale(table);
	int bottom = TOP + (int)table->count * ROW;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n<style>text { font-family: sans-serif; fill: #222 } "
		".title { font-size: 20px; font-weight: bold } .name { font-size: 15px } "
		".axis, .note { font-size: 12px; fill: #666 } .ratio { fill: #666 } "
		".grid { stroke: #ddd }</style>\n<rect width=\"100%%\" height=\"100%%\" "
		"fill=\"#fff\"/>\n<text class=\"title\" x=\"24\" y=\"34\">Time to the first "
		"response: ",
		WIDTH, bottom + 48, WIDTH, bottom + 48);
	put_escaped(table->name, out);
	fprintf(out,
		"</text>\n<text class=\"note\" x=\"24\" y=\"56\">a dot for each of %zu runs, by "
		"turns on one machine; the bar is the median; logarithmic scale</text>\n",
		table->count ? table->variants[0].seconds.count : 0);
	write_grid(&scale, bottom, out);
	for (size_t i = 0; i < table->count; i++)
		write_row(&table->variants[i], &scale, TOP + ROW * ((double)i + 0.5),
			  colors[i % (sizeof(colors) / sizeof(colors[0]))], out);
	fputs("</svg>\n", out);
}
