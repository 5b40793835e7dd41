/*
 * What bodies of the OpenAI format have in common: the model, numbers, and a
 * list of messages that becomes a turn's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/chat_body.h"
#include "api/openai/openai.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define SYSTEM_MAX ((size_t)1024 * 1024)

int
openai_wrong(struct openai_fault *f, const char *code, const char *param,
    const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (f->err.code != ERR_NONE)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(f->param, sizeof(f->param), "%s", param ? param : "");
	f->code = code;
	return err_set(&f->err, ERR_INVALID, "%s", text);
}

void
openai_read_init(struct openai_read *r, const void *ctx, struct openai_ask *ask,
    struct openai_fault *fault)
{
	memset(r, 0, sizeof(*r));
	memset(fault, 0, sizeof(*fault));
	r->ctx = ctx;
	r->ask = ask;
	r->fault = fault;
	r->options = json_object();
	r->tools = json_array();
	ask->given.temperature = -1;
	buf_init(&r->system, ctx, SYSTEM_MAX);
}

void
openai_read_done(struct openai_read *r)
{
	json_decref(r->options);
	json_decref(r->tools);
}

int
openai_read_model(struct openai_read *r, const char *name, const json_t *v)
{
	struct openai_ask *ask = r->ask;
	const char *text = json_string_value(v), *slash;

	(void)name;
	if (!text || !*text)
		return openai_wrong(r->fault, "missing_required_parameter",
		    "model", "model must be \"agent_type/instance_name\"");
	ask->model = text;
	slash = strchr(text, '/');
	if (slash && (size_t)(slash - text) < sizeof(ask->agent_type) &&
	    strlen(slash + 1) < sizeof(ask->agent_name)) {
		snprintf(ask->agent_type, sizeof(ask->agent_type), "%.*s",
		    (int)(slash - text), text);
		snprintf(
		    ask->agent_name, sizeof(ask->agent_name), "%s", slash + 1);
	}
	if (!str_is_name(ask->agent_type) || !str_is_name(ask->agent_name)) {
		r->fault->code = "model_not_found";
		snprintf(r->fault->param, sizeof(r->fault->param), "model");
		return err_set(&r->fault->err, ERR_NOT_FOUND,
		    "there is no model %.80s for this caller", text);
	}
	ask->chat.agent_type = ask->agent_type;
	ask->chat.agent_name = ask->agent_name;
	return 0;
}

int
openai_read_number(struct openai_read *r, const char *name, const json_t *v,
    double least, double most)
{
	double n = json_number_value(v);

	if (json_is_null(v))
		return 0;
	if (!json_is_number(v) || n < least || n > most)
		return openai_wrong(r->fault, "invalid_value", name,
		    "%s must be a number from %g to %g", name, least, most);
	if (strcmp(name, "temperature") == 0)
		r->ask->given.temperature = n;
	else
		json_object_set(r->options, name, (json_t *)(uintptr_t)v);
	return 0;
}

int
openai_read_count(
    struct openai_read *r, const char *name, const json_t *v, int *out)
{
	json_int_t n = json_integer_value(v);

	if (json_is_null(v))
		return 0;
	if (!json_is_integer(v) || n < 1 || n > INT32_MAX)
		return openai_wrong(r->fault, "invalid_value", name,
		    "%s must be a whole number of at least 1", name);
	*out = (int)n;
	return 0;
}

int
openai_read_bool(
    struct openai_read *r, const char *name, const json_t *v, bool *out)
{
	if (json_is_null(v))
		return 0;
	if (!json_is_boolean(v))
		return openai_wrong(r->fault, "invalid_type", name,
		    "%s must be true or false", name);
	*out = json_is_true(v);
	return 0;
}

int
openai_read_metadata(struct openai_read *r, const char *name, const json_t *v)
{
	struct buf b;

	if (json_is_null(v))
		return 0;
	buf_init(&b, r->ctx, CHAT_METADATA_MAX);
	json_write(&b, v);
	if (!json_is_object(v) || buf_failed(&b))
		return openai_wrong(r->fault, "invalid_value", name,
		    "%s must be an object of at most 8 KB as JSON", name);
	if (json_object_size(v) > 0)
		r->ask->chat.metadata = v;
	return 0;
}

struct llm_message *
openai_read_add(
    struct openai_read *r, enum llm_role role, const char *text, size_t len)
{
	if (r->n == r->room) {
		int room = r->room * 2 + 16;
		struct llm_message *more =
		    mem_array(r->ctx, struct llm_message, (size_t)room);

		if (r->n > 0)
			memcpy(more, r->messages, sizeof(*more) * (size_t)r->n);
		mem_free(r->messages);
		r->messages = more;
		r->room = room;
	}
	r->messages[r->n] =
	    (struct llm_message){ .role = role, .text = text, .len = len };
	return &r->messages[r->n++];
}

void
openai_read_system(struct openai_read *r, const char *text, size_t len)
{
	if (r->system.len > 0 && len > 0)
		buf_adds(&r->system, "\n\n");
	buf_add(&r->system, text, len);
}

static bool
blank(const struct llm_message *m)
{
	return !m->text || m->text[strspn(m->text, " \t\r\n")] == '\0';
}

/* Is ${id} one of the calls of message ${m}? */
static bool
calls_it(const struct llm_message *m, const char *id)
{
	for (int i = 0; i < m->ncalls; i++)
		if (strcmp(m->calls[i].id, id) == 0)
			return true;
	return false;
}

/*
 * Providers refuse a conversation in which a call has no answer, or an answer
 * no call; better here, where it can be said of which.
 */
static int
check_calls(const struct openai_read *r, const char *where)
{
	int open = -1, left = 0;

	for (int i = 0; i < r->n; i++) {
		const struct llm_message *m = &r->messages[i];

		if (m->role != LLM_TOOL) {
			if (left > 0)
				break;
			open = m->ncalls > 0 ? i : -1;
			left = m->ncalls;
			continue;
		}
		if (open < 0 || !calls_it(&r->messages[open], m->call_id))
			return openai_wrong(r->fault, NULL, where,
			    "the tool result for %.80s follows no call of that "
			    "id",
			    m->call_id);
		left--;
	}
	if (left > 0)
		return openai_wrong(r->fault, NULL, where,
		    "not every tool call is followed by its result");
	return 0;
}

static int64_t
count_tokens(const struct openai_read *r, int message)
{
	int64_t n = llm_estimate_tokens(r->system.data, r->system.len);
	char *text;

	for (int i = 0; i < r->n; i++)
		if (i != message && r->messages[i].text)
			n += llm_estimate_tokens(
			    r->messages[i].text, r->messages[i].len);
	if (json_array_size(r->tools) > 0) {
		struct buf b;

		buf_init(&b, r->ctx, SYSTEM_MAX);
		json_write(&b, r->tools);
		text = b.data;
		n += llm_estimate_tokens(text, b.len);
		buf_free(&b);
	}
	return n;
}

static int
read_member(struct openai_read *r, const struct openai_member *m,
    const char *name, const json_t *v)
{
	for (; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0)
			return m->read ? m->read(r, name, v) : 0;
	return openai_wrong(r->fault, "unknown_parameter", name,
	    "%.80s is not known here", name);
}

int
openai_read_members(struct openai_read *r, const json_t *body,
    const struct openai_member *members, const char *const *needed)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)body, name, v)
	{
		if (read_member(r, members, name, v) < 0)
			return -1;
	}
	for (; *needed != NULL; needed++)
		if (!json_object_get(body, *needed))
			return openai_wrong(r->fault,
			    "missing_required_parameter", *needed,
			    "%s is missing", *needed);
	return 0;
}

int
openai_read_end(struct openai_read *r, const char *where)
{
	struct openai_ask *ask = r->ask;
	int last = r->n - 1;

	while (last >= 0 && r->messages[last].role != LLM_USER)
		last--;
	if (last < 0 || blank(&r->messages[last]))
		return openai_wrong(r->fault, "invalid_value", where,
		    "%s must have a last message of the user that says "
		    "something",
		    where);
	if (check_calls(r, where) < 0 || openai_check_choice(r) < 0)
		return -1;
	ask->chat.message = r->messages[last].text;
	ask->chat.message_len = r->messages[last].len;
	ask->chat.before = r->messages;
	ask->chat.nbefore = last;
	ask->given.after = r->messages + last + 1;
	ask->given.nafter = r->n - last - 1;
	if (r->system.len > 0)
		ask->given.system = r->system.data;
	if (json_array_size(r->tools) > 0)
		ask->given.tools = r->tools;
	if (json_object_size(r->options) > 0)
		ask->given.options = r->options;
	ask->chat.given = &ask->given;
	ask->chat.given_tokens = count_tokens(r, last);
	ask->chat.channel = "openai";
	return 0;
}
