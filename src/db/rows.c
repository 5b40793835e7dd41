/* Fields to JSON values. */
#include "db/rows.h"

#include "db/db.h"

#include "util/banned.h"

static json_t *
field_json(const struct db_result *r, int row, int at, enum rows_kind kind)
{
	if (db_null(r, row, at))
		return json_null();
	switch (kind) {
	case ROW_INT:
		return json_integer((json_int_t)db_int(r, row, at));
	case ROW_REAL:
		return json_real(db_real(r, row, at));
	case ROW_BOOL:
		return json_boolean(db_bool(r, row, at));
	case ROW_JSON:
		return json_loadb(db_text(r, row, at), db_len(r, row, at),
		    JSON_DECODE_ANY, NULL);
	case ROW_TEXT:
	case ROW_END:
		break;
	}
	return json_stringn(db_text(r, row, at), db_len(r, row, at));
}

json_t *
rows_object(const struct db_result *r, int row, const struct rows_col *cols)
{
	json_t *o = json_object();

	for (int i = 0; cols[i].kind != ROW_END; i++)
		json_object_set_new(
		    o, cols[i].key, field_json(r, row, i, cols[i].kind));
	return o;
}

json_t *
rows_array(const struct db_result *r, const struct rows_col *cols)
{
	json_t *list = json_array();

	for (int row = 0; row < db_rows(r); row++)
		json_array_append_new(list, rows_object(r, row, cols));
	return list;
}
