/*
 * POST responses: how an answer looks, whole and as response.* events.  Each
 * answer is the request's own; none is kept under its id, and it says so
 * (store is false).
 */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/openai/openai.h"
#include "util/json.h"

#include "util/banned.h"

static json_t *
usage_json(const struct llm_usage *u)
{
	return json_pack("{s:I, s:{s:I}, s:I, s:{s:I}, s:I}", "input_tokens",
	    (json_int_t)u->input, "input_tokens_details", "cached_tokens",
	    (json_int_t)u->cached, "output_tokens", (json_int_t)u->output,
	    "output_tokens_details", "reasoning_tokens",
	    (json_int_t)u->reasoning, "total_tokens",
	    (json_int_t)u->input + (json_int_t)u->output);
}

static json_t *
message_id(const struct openai_talk *t)
{
	char id[UUID_TEXT];

	id_format(&t->turn, id);
	return json_sprintf("msg_%s", id);
}

static json_t *
text_part(const char *text, size_t len)
{
	return json_pack("{s:s, s:o, s:[], s:[]}", "type", "output_text",
	    "text", json_stringn(text ? text : "", len), "annotations",
	    "logprobs");
}

/* ${content} is taken over. */
static json_t *
message_item(const struct openai_talk *t, const char *status, json_t *content)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:o}", "id", message_id(t),
	    "type", "message", "status", status, "role", "assistant", "content",
	    content);
}

/* ${arguments}: "", or as the model wrote them. */
static json_t *
call_item(const json_t *call, const char *status, bool arguments)
{
	const char *id = json_string_value(json_object_get(call, "id"));
	json_t *v = json_object_get(call, "arguments");
	json_t *text = NULL;

	if (arguments && json_is_string(v)) {
		text = json_incref(v);
	} else if (arguments) {
		char *s = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		text = json_string(s);
		free(s);
	}
	return json_pack("{s:o, s:s, s:s, s:O, s:O, s:o}", "id",
	    json_sprintf("fc_%s", id), "type", "function_call", "status",
	    status, "call_id", json_object_get(call, "id"), "name",
	    json_object_get(call, "name"), "arguments",
	    text ? text : json_string(""));
}

static json_t *
output_json(const struct openai_talk *t, const struct openai_done *d)
{
	json_t *list = json_array(), *call;
	size_t i;

	if (d->len > 0 || openai_handed(d->calls) == 0)
		json_array_append_new(
		    list, message_item(t, "completed",
			      json_pack("[o]", text_part(d->text, d->len))));
	json_array_foreach((json_t *)(uintptr_t)d->calls, i, call)
	{
		if (openai_is_handed(call))
			json_array_append_new(
			    list, call_item(call, "completed", true));
	}
	return list;
}

/* A member of the request as it was, else ${instead}, which is taken over. */
static json_t *
echo(const struct openai_talk *t, const char *name, json_t *instead)
{
	json_t *v = json_object_get(t->ask->body, name);

	if (!v || json_is_null(v))
		return instead;
	json_decref(instead);
	return json_incref(v);
}

static const char *
cut_short(const struct openai_done *d)
{
	if (!d || !d->finish)
		return NULL;
	if (strcmp(d->finish, "length") == 0)
		return "max_output_tokens";
	return strcmp(d->finish, "content_filter") == 0 ? d->finish : NULL;
}

/* The response; ${d} NULL: it is being made, or ${error} says why it is not
 * (taken over). */
static json_t *
response_json(
    const struct openai_talk *t, const struct openai_done *d, json_t *error)
{
	const char *cut = cut_short(d);
	const char *status = error ? "failed"
	                     : !d  ? "in_progress"
	                     : cut ? "incomplete"
	                           : "completed";
	json_t *r = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:s, s:o, s:b}",
	    "id", t->id, "object", "response", "created_at",
	    (json_int_t)t->created, "status", status, "error",
	    error ? error : json_null(), "incomplete_details",
	    cut ? json_pack("{s:s}", "reason", cut) : json_null(), "model",
	    t->ask->model, "output", d ? output_json(t, d) : json_array(),
	    "store", 0);

	static const char *const echoed[] = { "instructions",
		"max_output_tokens", "temperature", "top_p", "user" };

	for (size_t i = 0; i < sizeof(echoed) / sizeof(*echoed); i++)
		json_object_set_new(
		    r, echoed[i], echo(t, echoed[i], json_null()));
	json_object_set_new(r, "metadata", echo(t, "metadata", json_object()));
	json_object_set_new(r, "parallel_tool_calls",
	    echo(t, "parallel_tool_calls", json_true()));
	json_object_set_new(r, "previous_response_id", json_null());
	json_object_set_new(
	    r, "reasoning", json_pack("{s:n, s:n}", "effort", "summary"));
	json_object_set_new(r, "text",
	    echo(t, "text", json_pack("{s:{s:s}}", "format", "type", "text")));
	json_object_set_new(
	    r, "tool_choice", echo(t, "tool_choice", json_string("auto")));
	json_object_set_new(r, "tools", echo(t, "tools", json_array()));
	json_object_set_new(r, "truncation", json_string("disabled"));
	json_object_set_new(
	    r, "usage", d ? usage_json(&d->usage) : json_null());
	return r;
}

static void
response_whole(
    struct openai_talk *t, const struct openai_done *d, struct buf *out)
{
	json_auto_t *r = response_json(t, d, NULL);

	json_write(out, r);
}

/* Takes ${event} over. */
static int
send_event(struct openai_talk *t, const char *type, json_t *event)
{
	json_object_set_new(event, "type", json_string(type));
	json_object_set_new(
	    event, "sequence_number", json_integer(t->number++));
	buf_clear(&t->out);
	json_write(&t->out, event);
	json_decref(event);
	return openai_send(t, type);
}

static int
response_begin(struct openai_talk *t)
{
	if (send_event(t, "response.created",
		json_pack("{s:o}", "response", response_json(t, NULL, NULL))) <
	    0)
		return -1;
	return send_event(t, "response.in_progress",
	    json_pack("{s:o}", "response", response_json(t, NULL, NULL)));
}

/* The place of a part in the answer: the message is its first item. */
static json_t *
at_part(const struct openai_talk *t)
{
	return json_pack("{s:o, s:i, s:i}", "item_id", message_id(t),
	    "output_index", 0, "content_index", 0);
}

static int
message_begin(struct openai_talk *t)
{
	json_t *event;

	if (send_event(t, "response.output_item.added",
		json_pack("{s:i, s:o}", "output_index", 0, "item",
		    message_item(t, "in_progress", json_array()))) < 0)
		return -1;
	event = at_part(t);
	json_object_set_new(event, "part", text_part("", 0));
	return send_event(t, "response.content_part.added", event);
}

static int
response_text(struct openai_talk *t, const char *piece, size_t len)
{
	if (t->said.len == 0 && message_begin(t) < 0)
		return -1;
	buf_add(&t->said, piece, len);
	buf_clear(&t->out);
	buf_adds(&t->out, "{\"type\":\"response.output_text.delta\","
			  "\"sequence_number\":");
	buf_addi(&t->out, t->number++);
	buf_adds(&t->out, ",\"item_id\":\"msg_");
	buf_adds(&t->out, t->id + strlen(t->form->prefix));
	buf_adds(&t->out, "\",\"output_index\":0,\"content_index\":0,"
			  "\"logprobs\":[],\"delta\":");
	buf_json_str(&t->out, piece, len);
	buf_addc(&t->out, '}');
	return openai_send(t, "response.output_text.delta");
}

static int
message_end(struct openai_talk *t)
{
	const struct buf *b = &t->said;
	json_t *event = at_part(t);

	json_object_set_new(event, "text", json_stringn(b->data, b->len));
	json_object_set_new(event, "logprobs", json_array());
	if (send_event(t, "response.output_text.done", event) < 0)
		return -1;
	event = at_part(t);
	json_object_set_new(event, "part", text_part(b->data, b->len));
	if (send_event(t, "response.content_part.done", event) < 0)
		return -1;
	return send_event(t, "response.output_item.done",
	    json_pack("{s:i, s:o}", "output_index", 0, "item",
		message_item(t, "completed",
		    json_pack("[o]", text_part(b->data, b->len)))));
}

static int
tell_call(struct openai_talk *t, const json_t *call, int index)
{
	json_auto_t *item = call_item(call, "completed", true);
	json_t *id = json_object_get(item, "id");
	json_t *text = json_object_get(item, "arguments");

	if (send_event(t, "response.output_item.added",
		json_pack("{s:i, s:o}", "output_index", index, "item",
		    call_item(call, "in_progress", false))) < 0 ||
	    send_event(t, "response.function_call_arguments.delta",
		json_pack("{s:O, s:i, s:O}", "item_id", id, "output_index",
		    index, "delta", text)) < 0 ||
	    send_event(t, "response.function_call_arguments.done",
		json_pack("{s:O, s:i, s:O, s:O}", "item_id", id, "output_index",
		    index, "name", json_object_get(item, "name"), "arguments",
		    text)) < 0)
		return -1;
	return send_event(t, "response.output_item.done",
	    json_pack("{s:i, s:O}", "output_index", index, "item", item));
}

static int
response_end(struct openai_talk *t, const struct openai_done *d)
{
	int index = 0;
	json_t *call;
	size_t i;

	if (t->said.len == 0 && openai_handed(d->calls) == 0 &&
	    message_begin(t) < 0)
		return -1;
	if (t->said.len > 0 || openai_handed(d->calls) == 0) {
		if (message_end(t) < 0)
			return -1;
		index = 1;
	}
	json_array_foreach((json_t *)(uintptr_t)d->calls, i, call)
	{
		if (openai_is_handed(call) && tell_call(t, call, index++) < 0)
			return -1;
	}
	return send_event(t,
	    cut_short(d) ? "response.incomplete" : "response.completed",
	    json_pack("{s:o}", "response", response_json(t, d, NULL)));
}

static int
response_fail(struct openai_talk *t, const struct err *e)
{
	json_auto_t *error = openai_error_json(e, NULL, NULL);
	json_t *said = json_object_get(error, "error");

	return send_event(t, "response.failed",
	    json_pack("{s:o}", "response",
		response_json(t, NULL,
		    json_pack("{s:s, s:O}", "code", "server_error", "message",
			json_object_get(said, "message")))));
}

static const struct openai_form form = { .prefix = "resp_",
	.read = openai_read_response,
	.whole = response_whole,
	.begin = response_begin,
	.text = response_text,
	.end = response_end,
	.fail = response_fail };

void
api_openai_responses(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	openai_serve(app, req, resp, who, &form);
}
