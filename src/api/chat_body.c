/*
 * JSON to a question, field by field.  Members that nobody knows are refused:
 * a misspelt session_key would otherwise start a new talk each time.
 */
#include "api/chat_body.h"

#include <stdio.h>
#include <string.h>

#include "auth/session_key.h"
#include "chat/turn.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define COMMENT_MAX 4000 /* characters, as in the table */
#define ERRORS_MAX 32

static void
add_error(json_t *errors, const char *pointer, const char *detail)
{
	if (json_array_size(errors) < ERRORS_MAX)
		json_array_append_new(errors, json_pack("{s:s, s:s}", "pointer",
						  pointer, "detail", detail));
}

/* A member's JSON pointer (RFC 6901). */
static void
add_member_error(json_t *errors, const char *name, const char *detail)
{
	char pointer[160];
	size_t n = 0;

	pointer[n++] = '/';
	for (const char *p = name; *p && n < sizeof(pointer) - 3; p++) {
		if (*p == '~' || *p == '/') {
			pointer[n++] = '~';
			pointer[n++] = *p == '~' ? '0' : '1';
		} else {
			pointer[n++] = *p;
		}
	}
	pointer[n] = '\0';
	pointer[str_utf8_prefix(pointer, n)] = '\0';
	add_error(errors, pointer, detail);
}

struct reading {
	struct chat_ask *ask;
	json_t *errors;
	size_t message_max;
	bool widget, stream;
};

static void
read_message(struct reading *r, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	char detail[80];

	if (!text || text[strspn(text, " \t\r\n")] == '\0') {
		add_member_error(
		    r->errors, name, "must be a text that says something");
		return;
	}
	if (n > r->message_max) {
		snprintf(detail, sizeof(detail), "is longer than %zu bytes",
		    r->message_max);
		add_member_error(r->errors, name, detail);
		return;
	}
	r->ask->message = text;
	r->ask->message_len = n;
}

static void
read_session_key(struct reading *r, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);

	if (!text || (!r->widget && !session_name_ok(text)))
		add_member_error(
		    r->errors, name, "must be 1 to 128 of A-Z a-z 0-9 . _ : -");
	else
		r->ask->session_key = text;
}

/* Something before one @ and something after it; who can say more? */
static bool
email_ok(const char *s)
{
	const char *at = strchr(s, '@');

	if (!at || at == s || !at[1] || strchr(at + 1, '@') ||
	    strlen(s) > CHAT_EMAIL_MAX)
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '<' ||
		    *p == '>' || *p == ',' || *p == ';' || *p == '"')
			return false;
	return true;
}

static void
read_email(struct reading *r, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);

	if (!text || !email_ok(text))
		add_member_error(r->errors, name, "must be an e-mail address");
	else
		r->ask->email = text;
}

static void
read_metadata(struct reading *r, const char *name, const json_t *v)
{
	void *ctx = mem_root("metadata");
	struct buf b;

	buf_init(&b, ctx, CHAT_METADATA_MAX);
	json_write(&b, v);
	if (!json_is_object(v))
		add_member_error(r->errors, name, "must be an object");
	else if (buf_failed(&b))
		add_member_error(
		    r->errors, name, "must be at most 8 KB as JSON");
	else
		r->ask->metadata = v;
	mem_free(ctx);
}

static void
read_on_disconnect(struct reading *r, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);

	if (text && strcmp(text, "cancel") == 0)
		r->ask->on_disconnect = 'c';
	else if (text && strcmp(text, "finish") == 0)
		r->ask->on_disconnect = 'f';
	else
		add_member_error(
		    r->errors, name, "must be \"cancel\" or \"finish\"");
}

static void
read_stream(struct reading *r, const char *name, const json_t *v)
{
	if (json_is_boolean(v))
		r->stream = json_is_true(v);
	else
		add_member_error(r->errors, name, "must be true or false");
}

static const struct {
	const char *name;
	void (*read)(struct reading *, const char *name, const json_t *);
} members[] = {
	{ "message", read_message },
	{ "session_key", read_session_key },
	{ "email", read_email },
	{ "metadata", read_metadata },
	{ "on_disconnect", read_on_disconnect },
	{ "stream", read_stream },
};

static void
read_member(struct reading *r, const char *name, const json_t *v)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (strcmp(members[i].name, name) != 0)
			continue;
		if (!json_is_null(v) || members[i].read == read_message)
			members[i].read(r, name, v);
		return;
	}
	add_member_error(r->errors, name, "is not known here");
}

/* 0 without errors; else -1, and the list is the caller's. */
static int
give(json_t *list, json_t **errors)
{
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	*errors = list;
	return -1;
}

int
chat_body_read(const json_t *body, size_t message_max, bool widget,
    struct chat_ask *ask, bool *stream, json_t **errors)
{
	struct reading r = { .ask = ask,
		.errors = json_array(),
		.message_max = message_max,
		.widget = widget };
	const char *name;
	json_t *v;

	if (!json_is_object(body)) {
		add_error(r.errors, "", "must be an object");
		return give(r.errors, errors);
	}
	json_object_foreach((json_t *)body, name, v)
	{
		read_member(&r, name, v);
	}
	if (!json_object_get(body, "message"))
		add_error(r.errors, "/message", "is missing");
	*stream = r.stream;
	return give(r.errors, errors);
}

/* Characters of valid UTF-8. */
static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int
feedback_body_read(
    const json_t *body, int *rating, const char **comment, json_t **errors)
{
	json_t *list = json_array(), *v;
	const char *name;

	*rating = 0;
	*comment = NULL;
	if (!json_is_object(body)) {
		add_error(list, "", "must be an object");
		return give(list, errors);
	}
	json_object_foreach((json_t *)body, name, v)
	{
		if (strcmp(name, "rating") == 0) {
			json_int_t n = json_integer_value(v);

			if (json_is_integer(v) && (n == 1 || n == -1))
				*rating = (int)n;
			else
				add_error(list, "/rating", "must be 1 or -1");
		} else if (strcmp(name, "comment") == 0) {
			*comment = json_string_value(v);
			if ((!*comment && !json_is_null(v)) ||
			    (*comment && characters(*comment) > COMMENT_MAX))
				add_error(list, "/comment",
				    "must be a text of at most 4000 "
				    "characters");
		} else {
			add_member_error(list, name, "is not known here");
		}
	}
	if (!json_object_get(body, "rating"))
		add_error(list, "/rating", "is missing");
	return give(list, errors);
}
