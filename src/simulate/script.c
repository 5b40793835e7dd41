/* What is said in answer to a request: the text, its pieces, a tool. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "simulate/wire_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* What was said last, or everything. */
static void
collect(struct buf *out, const json_t *v, bool text_only)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v)) {
		buf_add(out, json_string_value(v), json_string_length(v));
		buf_adds(out, "\n");
	} else if (json_is_array(v)) {
		json_array_foreach((json_t *)(uintptr_t)v, i, item)
		{
			collect(out, item, text_only);
		}
	} else {
		json_object_foreach((json_t *)(uintptr_t)v, key, item)
		{
			if (strcmp(key, "content") == 0 ||
			    strcmp(key, "text") == 0 || !text_only)
				collect(out, item, text_only);
		}
	}
}

static void
echo_text(struct script *s, const json_t *root)
{
	const json_t *list = json_object_get(root, "messages");

	if (s->plan.echo > 1) {
		collect(&s->text, json_object_get(root, "system"), true);
		collect(&s->text, list, true);
		return;
	}
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *m = json_array_get(list, i);
		const char *role =
		    json_string_value(json_object_get(m, "role"));
		if (role && strcmp(role, "user") == 0) {
			collect(&s->text, json_object_get(m, "content"), true);
			if (s->text.len > 0)
				s->text.len--; /* the last line's end */
			return;
		}
	}
}

static bool
has_results(const json_t *root)
{
	const json_t *list = json_object_get(root, "messages");
	const json_t *m = json_array_get(list, json_array_size(list) - 1);
	const json_t *first = json_array_get(json_object_get(m, "content"), 0);
	const char *role = json_string_value(json_object_get(m, "role"));
	const char *type = json_string_value(json_object_get(first, "type"));

	return (role && strcmp(role, "tool") == 0) ||
	       (type && strcmp(type, "tool_result") == 0);
}

static void
pick_tool(struct script *s, const json_t *root)
{
	const json_t *t = json_array_get(json_object_get(root, "tools"), 0);
	const json_t *fn = json_object_get(t, "function");
	const char *name =
	    json_string_value(json_object_get(fn ? fn : t, "name"));

	if (name && (s->plan.tools > 1 || !has_results(root)))
		snprintf(s->tool, sizeof(s->tool), "%s", name);
}

static void
cut_chunks(struct script *s)
{
	int n = s->plan.chunks;

	s->ends = mem_array(s->text.ctx, size_t, (size_t)n + 1);
	for (int i = 0; i < n; i++) {
		size_t at = s->text.len * (size_t)(i + 1) / (size_t)n;
		while (at < s->text.len && (s->text.data[at] & 0xc0) == 0x80)
			at++;
		s->ends[i] = at;
	}
}

void
script_make(struct script *s, const void *ctx, const struct ask *a,
    const struct plan *p, unsigned long id)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->text, ctx, WIRE_MOST);
	buf_init(&s->whole, ctx, WIRE_MOST);
	s->plan = *p;
	s->anthropic = a->anthropic;
	s->stream = a->stream && !p->json;
	s->id = id;
	s->created = clock_wall_us() / 1000000;
	memcpy(s->model, a->model, sizeof(s->model));
	if (p->echo || p->tools) {
		json_auto_t *root = json_loadb(a->body, a->body_len, 0, NULL);

		if (p->echo)
			echo_text(s, root);
		if (p->tools)
			pick_tool(s, root);
	}
	if (p->refuse) {
		buf_adds(&s->text, "I cannot help with that.");
	} else if (!p->echo && p->chunks == 3) {
		buf_adds(&s->text, "This is the mock model speaking.");
	} else if (!p->echo) {
		for (int i = 0; i < p->chunks; i++)
			buf_addf(&s->text, "w%05d ", i);
	}
	cut_chunks(s);
}

void
script_free(struct script *s)
{
	buf_free(&s->text);
	buf_free(&s->whole);
	mem_free(s->ends);
	s->ends = NULL;
}
