/* Tables as CSV (RFC 4180). */
#include "util/csv.h"

#include <string.h>

#include "util/banned.h"

void
csv_text(struct buf *b, const char *text)
{
	bool formula = *text != '\0' && strchr("=+-@\t\r", *text) != NULL;

	if (!formula && text[strcspn(text, "\",\r\n")] == '\0') {
		buf_adds(b, text);
		return;
	}
	buf_addc(b, '"');
	if (formula)
		buf_addc(b, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_addc(b, '"');
		buf_addc(b, *text);
	}
	buf_addc(b, '"');
}

static void
cell(struct buf *b, const json_t *v)
{
	if (json_is_string(v))
		csv_text(b, json_string_value(v));
	else if (json_is_integer(v))
		buf_addi(b, json_integer_value(v));
	else if (json_is_real(v))
		buf_addf(b, "%.15g", json_real_value(v));
	else if (json_is_boolean(v))
		buf_adds(b, json_is_true(v) ? "true" : "false");
}

void
csv_table(struct buf *b, const json_t *rows, const char *const *keys)
{
	const json_t *row;
	size_t i;

	for (const char *const *k = keys; *k != NULL; k++) {
		buf_adds(b, k == keys ? "" : ",");
		csv_text(b, *k);
	}
	buf_adds(b, "\r\n");
	json_array_foreach(rows, i, row)
	{
		for (const char *const *k = keys; *k != NULL; k++) {
			buf_adds(b, k == keys ? "" : ",");
			cell(b, json_object_get(row, *k));
		}
		buf_adds(b, "\r\n");
	}
}
