/* What a management request says: ids, bodies, parameters. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/json_body.h"
#include "api/manage/manage.h"
#include "api/problem.h"
#include "api/validate.h"
#include "auth/key.h"
#include "http/request.h"
#include "http/response.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/rfc3339.h"

#include "util/banned.h"

#define JSON_TEXT_MAX ((size_t)1024 * 1024)

void
manage_serve(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, manage_handler *handler)
{
	struct manage m = { .app = app,
		.req = req,
		.resp = resp,
		.who = who,
		.ctx = req->ctx };
	struct err e = { 0 };

	if (who->account != NULL) {
		m.whose = &who->account->id;
		id_format(m.whose, m.account);
	}
	if (handler(&m, &e) != 0)
		problem_send(req, resp, &e, m.errors);
	json_decref(m.body);
	json_decref(m.errors);
}

int
manage_id(struct manage *m, const char *var, char out[UUID_TEXT], struct err *e)
{
	const char *text = http_var(m->req, var);
	struct uuid id;

	if (text == NULL || id_parse(text, strlen(text), &id) != 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	id_format(&id, out);
	return 0;
}

int
manage_body(struct manage *m, const char *schema, struct err *e)
{
	return json_body(m->app, m->req, schema, &m->body, &m->errors, e);
}

int
manage_invalid(
    struct manage *m, struct err *e, const char *pointer, const char *fmt, ...)
{
	char detail[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (m->errors == NULL)
		m->errors = json_array();
	validate_add(m->errors, pointer, NULL, "%s", detail);
	return err_set(e, ERR_INVALID, "%s %s",
	    *pointer == '/' ? pointer + 1 : "the body", detail);
}

const char *
manage_text(const struct manage *m, const char *key)
{
	return json_body_text(m->body, key);
}

const char *
manage_query(struct manage *m, const char *name, struct err *e)
{
	return http_query(m->req, name, e);
}

const char *
manage_word(
    struct manage *m, const char *name, const char *const *words, struct err *e)
{
	const char *text = http_query(m->req, name, e);
	char said[160] = "";

	if (text == NULL)
		return NULL;
	for (; *words != NULL; words++) {
		size_t n = strlen(said);

		if (strcmp(*words, text) == 0)
			return *words;
		snprintf(said + n, sizeof(said) - n, "%s%s", n == 0 ? "" : ", ",
		    *words);
	}
	err_set(e, ERR_INVALID, "%s must be one of: %s", name, said);
	return NULL;
}

int
manage_time(struct manage *m, const char *name, int64_t otherwise, int64_t *us,
    struct err *e)
{
	const char *text = http_query(m->req, name, e);

	if (text == NULL) {
		*us = otherwise;
		return e->code == ERR_NONE ? 0 : -1;
	}
	if (rfc3339_read(text, us) != 0)
		return err_set(e, ERR_INVALID,
		    "%s must be a time such as 2026-01-31T12:00:00Z", name);
	return 0;
}

const char *
manage_json(const void *ctx, const json_t *v)
{
	struct buf b;

	buf_init(&b, ctx, JSON_TEXT_MAX);
	json_write(&b, v);
	return buf_failed(&b) ? NULL : b.data;
}

const char *
manage_author(const struct manage *m)
{
	char id[UUID_TEXT];

	id_format(&m->who->key->id, id);
	return mem_printf(m->ctx, "%s:%s",
	    m->who->key->kind == KEY_API ? "api_key" : "user", id);
}

void
manage_platform(struct manage *m)
{
	static const struct uuid platform;

	m->whose = &platform;
	id_format(m->whose, m->account);
}

int
manage_may(const struct manage *m, enum perm perm, struct err *e)
{
	if (perm_in(m->who->key->perms, perm))
		return 0;
	return err_set(e, ERR_DENIED,
	    "the role %s may not do this: it needs %s", m->who->key->role_name,
	    perm_name(perm));
}
