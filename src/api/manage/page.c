/*
 * Reading: lists a page at a time, resources with their state.  What next says
 * is opaque to callers: the position of the last entry, in base64url.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/reply.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)
#define MARK "1 " /* in front of a position: what form it has */
#define POSITION_MAX 400

int
manage_read(struct manage *m, struct db_call *call, struct err *e)
{
	return db_run(m->app->db, DB_CONTROL, m->whose, call, 1,
	    m->req->started + READ_WAIT, m->ctx, e);
}

json_t *
manage_next(struct manage *m, const char *position)
{
	const char *text = mem_printf(m->ctx, MARK "%s", position);
	size_t n = strlen(text);
	char *out = mem_array(m->ctx, char, (n * 4 + 2) / 3 + 1);

	str_b64url(text, n, out);
	return json_string(out);
}

static int
not_a_next(struct err *e)
{
	return err_set(e, ERR_INVALID, "after is not the next of a page");
}

int
manage_after(struct manage *m, const char **ret, struct err *e)
{
	const char *text = http_query(m->req, "after", e);
	char *out;
	int n;

	*ret = NULL;
	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	out = mem_array(m->ctx, char, POSITION_MAX + 1);
	n = str_b64url_decode(text, strlen(text), out, POSITION_MAX);
	if (n < 0 || !str_starts(out, MARK) || strlen(out) != (size_t)n ||
	    !str_utf8_valid(out, (size_t)n))
		return not_a_next(e);
	*ret = out + strlen(MARK);
	return 0;
}

int
manage_page(struct manage *m, struct db_call *call, const struct rows_col *cols,
    void (*each)(json_t *), struct err *e)
{
	json_auto_t *data = json_array(), *answer = NULL;
	json_t *next = NULL;
	const char *after;
	char rows[16];
	int limit, last = 0;

	if (http_query_limit(m->req, &limit, e) != 0 ||
	    manage_after(m, &after, e) != 0)
		return -1;
	snprintf(rows, sizeof(rows), "%d", limit + 1);
	call->param[call->nparams++] = after;
	call->param[call->nparams++] = rows;
	if (manage_read(m, call, e) != 0)
		return e->code == ERR_INVALID && after != NULL
		           ? not_a_next(e) /* a position of another list */
		           : -1;
	while (cols[last].kind != ROW_END)
		last++;
	for (int i = 0; i < db_rows(call->result) && i < limit; i++) {
		json_t *entry = rows_object(call->result, i, cols);

		if (each != NULL)
			each(entry);
		json_array_append_new(data, entry);
	}
	if (db_rows(call->result) > limit)
		next = manage_next(m, db_text(call->result, limit - 1, last));
	answer = json_pack("{s:O, s:o?}", "data", data, "next", next);
	reply_json(m->req, m->resp, 200, answer);
	return 0;
}

int
manage_find(struct manage *m, const struct manage_object *o, const char *id,
    struct manage_found *out, struct err *e)
{
	struct db_call call = {
		.stmt = o->show, .param = { m->account, id }, .nparams = 2
	};
	int last = 0;

	if (manage_read(m, &call, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	while (o->cols[last].kind != ROW_END)
		last++;
	out->state = mem_strdup(m->ctx, db_text(call.result, 0, last));
	out->json = rows_object(call.result, 0, o->cols);
	if (o->each != NULL)
		o->each(out->json);
	return 0;
}

int
manage_answer(
    struct manage *m, int status, const json_t *body, const char *state)
{
	if (state != NULL)
		http_setf(m->resp, "ETag", "\"%s\"", state);
	reply_json(m->req, m->resp, status, body);
	return 0;
}

int
manage_gone(struct manage *m)
{
	reply_done(m->resp);
	return 0;
}

int
manage_show(struct manage *m, const struct manage_object *o, const char *id,
    int status, struct err *e)
{
	struct manage_found found;

	if (http_sent(m->resp))
		return 0;
	if (manage_find(m, o, id, &found, e) != 0)
		return -1;
	manage_answer(m, status, found.json, found.state);
	json_decref(found.json);
	return 0;
}

/* The next entity-tag of a list (RFC 9110, 8.8.3): 1, 0 at its end, or -1. */
static int
next_tag(const char **at, const char **tag, size_t *len)
{
	const char *s = *at;
	bool weak;

	s += strspn(s, " \t,");
	if (*s == '\0')
		return 0;
	weak = str_starts(s, "W/");
	s += weak ? 2 : 0;
	if (*s != '"')
		return -1;
	*tag = ++s;
	*len = strcspn(s, "\"");
	if (s[*len] != '"')
		return -1;
	*at = s + *len + 1;
	if (weak) /* never the same, strongly compared */
		*len = 0;
	return 1;
}

int
manage_if_match(struct manage *m, const char *state, struct err *e)
{
	const char *text = http_header(m->req, "if-match"), *tag = NULL;
	size_t n = 0;
	int rc;

	if (text == NULL || strcmp(text, "*") == 0)
		return 0;
	while ((rc = next_tag(&text, &tag, &n)) > 0)
		if (n == strlen(state) && memcmp(tag, state, n) == 0)
			return 0;
	if (rc < 0)
		return err_set(e, ERR_MALFORMED,
		    "If-Match must be an ETag as it was answered, in its "
		    "quotes");
	return err_set_kind(e, ERR_CONFLICT, "precondition-failed", 0,
	    "it has changed since it was read; its ETag is \"%s\" now", state);
}

int
manage_list(struct manage *m, const struct manage_object *o,
    const struct db_stmt *stmt, const char *const *states, struct err *e)
{
	const char *status = manage_word(m, "status", states, e);
	struct db_call call = {
		.stmt = stmt, .param = { m->account, status }, .nparams = 2
	};

	return e->code != ERR_NONE ? -1
	                           : manage_page(m, &call, o->cols, o->each, e);
}

int
manage_get(struct manage *m, const struct manage_object *o, const char *param,
    struct err *e)
{
	char id[UUID_TEXT];

	return manage_id(m, param, id, e) != 0 ? -1
	                                       : manage_show(m, o, id, 200, e);
}
