/*
 * Charts drawn here, as figures that a template puts into SVG: once for wide
 * and once for narrow screens, so that their writing stays as large as the
 * page's, and as a table.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/console/console.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/rfc3339.h"

#include "util/banned.h"

#define HEIGHT 190
#define TOP 12
#define BOTTOM 24
#define LEFT 52
#define LINES 4
#define HOUR INT64_C(3600000000)

/* The least 1, 2 or 5 times a power of ten that is no less. */
static double
round_up(double v)
{
	double ten = v > 0 ? pow(10, floor(log10(v))) : 1;
	static const double steps[] = { 1, 2, 4, 5, 8, 10 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i] * ten >= v * (1 - 1e-9))
			return steps[i] * ten;
	return 10 * ten;
}

static double
highest(const double *values, int n)
{
	double most = 0;

	for (int i = 0; i < n; i++)
		if (values[i] > most)
			most = values[i];
	return most;
}

static json_t *
px(double v)
{
	char text[24];

	snprintf(text, sizeof(text), "%.1f", v);
	return json_string(text);
}

/* "14:00" or "22 Nov" of a step's begin. */
static json_t *
tick(const struct chart *ch, int i)
{
	char iso[CLOCK_RFC3339_SIZE];

	clock_rfc3339(ch->from + i * ch->step, iso);
	if (ch->step >= 6 * HOUR)
		return json_sprintf("%.5s", iso + 5);
	return json_sprintf("%.5s", iso + 11);
}

static json_t *
moment(const struct chart *ch, int i)
{
	char iso[CLOCK_RFC3339_SIZE];

	clock_rfc3339(ch->from + i * ch->step, iso);
	if (ch->step >= 24 * HOUR)
		return json_sprintf("%.10s", iso);
	return json_sprintf("%.10s %.5s", iso, iso + 11);
}

/* One drawing, ${width} wide, with about ${ticks} ticks. */
static json_t *
drawing(const struct console *c, const struct chart *ch, const char *size,
    int width, int ticks)
{
	double top = round_up(highest(ch->values, ch->n)),
	       room = HEIGHT - TOP - BOTTOM,
	       wide = (width - LEFT) / (double)(ch->n > 0 ? ch->n : 1),
	       gap = wide > 6 ? 3 : 1;
	json_t *bars = json_array(), *lines = json_array(),
	       *marks = json_array();
	int every = (ch->n + ticks - 1) / ticks;

	for (int i = 0; i <= LINES; i++)
		json_array_append_new(
		    lines, json_pack("{s:o, s:o}", "y",
			       px(TOP + room - room * i / LINES), "text",
			       ch->show(c, top * i / LINES)));
	for (int i = 0; i < ch->n; i++) {
		double h = room * ch->values[i] / top, x = LEFT + wide * i;

		if (ch->values[i] > 0)
			json_array_append_new(bars,
			    json_pack("{s:o, s:o, s:o, s:o}", "x",
				px(x + gap / 2), "y",
				px(TOP + room - (h < 1.5 ? 1.5 : h)), "w",
				px(wide - gap), "h", px(h < 1.5 ? 1.5 : h)));
		if (i % every == 0 && x + 30 < width)
			json_array_append_new(
			    marks, json_pack("{s:o, s:o}", "x", px(x), "text",
				       tick(ch, i)));
	}
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:o, s:o, s:o}",
	    "size", size, "class", *size == 'w' ? "wide-drawing" : "slim",
	    "width", width, "height", HEIGHT, "base", HEIGHT - 6, "edge",
	    LEFT - 8, "bars", bars, "lines", lines, "ticks", marks);
}

json_t *
console_chart(const struct console *c, const struct chart *ch)
{
	json_t *rows = json_array();
	double sum = 0;

	for (int i = 0; i < ch->n; i++) {
		sum += ch->values[i];
		json_array_append_new(
		    rows, json_pack("{s:o, s:o}", "at", moment(ch, i), "value",
			      ch->show(c, ch->values[i])));
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:b, s:o, s:o, s:[o, o], s:o}",
	    "id", ch->id, "big", ch->big, "title", ch->title, "unit", ch->unit,
	    "empty", sum <= 0, "from", moment(ch, 0), "most",
	    ch->show(c, highest(ch->values, ch->n)), "drawings",
	    drawing(c, ch, "wide", ch->big ? 1080 : 480, ch->big ? 12 : 6),
	    drawing(c, ch, "slim", 340, 4), "rows", rows);
}

json_t *
console_spark(const double *values, int n)
{
	double most = highest(values, n);
	char text[1024];
	size_t at = 0;

	if (most <= 0 || n < 2)
		return json_null();
	for (int i = 0; i < n && at + 24 < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "%s%.1f,%.1f", i > 0 ? " " : "", 100.0 * i / (n - 1),
		    22 - 20 * values[i] / most);
	return json_string(text);
}
