/* Values as people read them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/console/console.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/rfc3339.h"
#include "util/str.h"

#include "util/banned.h"

#define SECOND INT64_C(1000000)

/* "1234.5" with the language's signs. */
static json_t *
signs(const struct console *c, const char *plain)
{
	bool german = c->lang == PAGES_DE;
	size_t whole = strcspn(plain, "."), n = 0;
	char out[64];

	for (size_t i = 0; i < whole && n < sizeof(out) - 2; i++) {
		if (i > 0 && (whole - i) % 3 == 0 && plain[i - 1] != '-')
			out[n++] = german ? '.' : ',';
		out[n++] = plain[i];
	}
	if (plain[whole] == '.') {
		out[n++] = german ? ',' : '.';
		for (const char *p = plain + whole + 1;
		     *p != '\0' && n < sizeof(out) - 1; p++)
			out[n++] = *p;
	}
	out[n] = '\0';
	return json_string(out);
}

static json_t *
decimal(const struct console *c, double v, int digits)
{
	char text[48];

	snprintf(text, sizeof(text), "%.*f", digits, v);
	return signs(c, text);
}

static json_t *
with_unit(json_t *number, const char *unit)
{
	json_t *out = json_sprintf("%s%s", json_string_value(number), unit);

	json_decref(number);
	return out;
}

json_t *
console_number(const struct console *c, int64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, v);
	return signs(c, text);
}

json_t *
console_short(const struct console *c, int64_t v)
{
	if (v < 10000)
		return console_number(c, v);
	if (v < 1000000)
		return with_unit(
		    decimal(c, (double)v / 1e3, v < 100000 ? 1 : 0), "k");
	if (v < 1000000000)
		return with_unit(
		    decimal(c, (double)v / 1e6, v < 100000000 ? 1 : 0), "M");
	return with_unit(decimal(c, (double)v / 1e9, 1), "G");
}

json_t *
console_money(const struct console *c, const json_t *usd)
{
	double v = json_number_value(usd);
	int digits = 2;

	if (!json_is_number(usd))
		return json_null();
	if (v > 0 && v < 0.01)
		digits = 5;
	else if (v > 0 && v < 0.1)
		digits = 3;
	if (c->lang == PAGES_DE)
		return with_unit(decimal(c, v, digits), " $");

	json_t *number = decimal(c, v, digits);
	json_t *out = json_sprintf("$%s", json_string_value(number));

	json_decref(number);
	return out;
}

json_t *
console_percent(const struct console *c, const json_t *share)
{
	double v = json_number_value(share) * 100;

	if (!json_is_number(share))
		return json_null();
	return with_unit(decimal(c, v, v > 0 && v < 10 ? 1 : 0),
	    c->lang == PAGES_DE ? " %" : "%");
}

json_t *
console_ms(const struct console *c, const json_t *ms)
{
	double v = json_number_value(ms);

	if (!json_is_number(ms))
		return json_null();
	if (v < 1000)
		return with_unit(decimal(c, v, 0), " ms");
	return with_unit(decimal(c, v / 1000, v < 10000 ? 2 : 1), " s");
}

/* "{n} minutes ago" with the number in it. */
static json_t *
counted(const struct console *c, const char *name, int64_t n)
{
	const char *text = console_text(c, name), *at = strstr(text, "{n}");

	if (at == NULL)
		return json_string(text);
	return json_sprintf(
	    "%.*s%" PRId64 "%s", (int)(at - text), text, n, at + 3);
}

static json_t *
distance(const struct console *c, int64_t s)
{
	bool past = s >= 0;

	if (!past)
		s = -s;
	if (s < 60)
		return json_string(
		    console_text(c, past ? "time.now" : "time.soon"));
	if (s < 3600)
		return counted(
		    c, past ? "time.minutes_ago" : "time.in_minutes", s / 60);
	if (s < 86400)
		return counted(
		    c, past ? "time.hours_ago" : "time.in_hours", s / 3600);
	if (s < 2 * 86400)
		return json_string(
		    console_text(c, past ? "time.yesterday" : "time.tomorrow"));
	return counted(c, past ? "time.days_ago" : "time.in_days", s / 86400);
}

json_t *
console_time(const struct console *c, const json_t *rfc3339)
{
	const char *iso = json_string_value(rfc3339);
	int64_t us;

	if (iso == NULL || rfc3339_read(iso, &us) != 0)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "iso", iso, "exact",
	    json_sprintf("%.10s %.8s UTC", iso, iso + 11), "ago",
	    distance(c, (clock_wall_us() - us) / SECOND));
}

void
console_times(const struct console *c, json_t *list, const char *const *names)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) for (const char *const *n = names;
					    *n != NULL; n++)
	    json_object_set_new(v, *n, console_time(c, json_object_get(v, *n)));
}

json_t *
console_state(const struct console *c, const char *word)
{
	static const char *const kinds[][2] = { { "active", "good" },
		{ "completed", "good" }, { "running", "live" },
		{ "failed", "bad" }, { "revoked", "bad" }, { "expired", "bad" },
		{ "cancelled", "dim" }, { "inactive", "warn" },
		{ "archived", "dim" }, { "invited", "warn" },
		{ "disabled", "bad" } };
	const char *kind = "dim", *text;

	if (word == NULL)
		return json_null();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i][0]) == 0)
			kind = kinds[i][1];
	text = console_text(c, mem_printf(c->ctx, "state.%s", word));
	return json_pack("{s:s, s:s, s:s}", "text", *text != '\0' ? text : word,
	    "kind", kind, "word", word);
}
