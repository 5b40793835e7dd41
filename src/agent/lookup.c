/*
 * Retrieval for a run, and the search tools: all fill one list of numbered
 * passages, so that [3] in an answer means one thing whoever asked for it.
 */
#include "agent/lookup.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/prompt.h"
#include "agent/spec.h"
#include "knowledge/search.h"
#include "telemetry/log.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define QUERY_MAX 1000

/* The tools, and the kind of passage each is limited to. */
static const struct tool {
	const char *name, *kind, *text;
} tools[] = {
	{ "product_search", NULL,
	    "Search the product catalogue and what is written about it. "
	    "Returns numbered passages to be cited as [n]." },
	{ "document_search", "document",
	    "Search the documents. Returns numbered passages to be cited as "
	    "[n]." },
};
#define NTOOLS (sizeof(tools) / sizeof(*tools))

void
lookup_init(struct lookup *l, const void *ctx, struct knowledge *knowledge,
    const struct agent_spec *spec, int64_t deadline)
{
	memset(l, 0, sizeof(*l));
	l->ctx = ctx;
	l->knowledge = knowledge;
	l->spec = spec;
	l->deadline = deadline;
}

/* The place of a passage that is known already, or -1. */
static int
find(const struct lookup *l, const char *id, const char *text)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->passages[i].document_id, id) == 0 &&
		    strcmp(l->passages[i].text, text) == 0)
			return i;
	return -1;
}

/*
 * Search; the places of what was found go to ${place} (may be NULL), their
 * number is returned, or -1.
 */
static int
search(struct lookup *l, const char *query, const char *kind, int limit,
    int *place, struct err *e)
{
	const struct knowledge_ask ask = { .account = &l->spec->account_id,
		.slot = l->spec->account_slot,
		.agent = &l->spec->id,
		.question = query,
		.kind = kind,
		.limit = limit < LOOKUP_RESULTS ? limit : LOOKUP_RESULTS };
	struct hit *hits;
	int found, n = 0;

	if (knowledge_search(l->knowledge, &ask, l->deadline, l->ctx, &hits,
		&found, e) < 0) {
		l->away = true;
		return -1;
	}
	for (int i = 0; i < found; i++) {
		char *id = mem_zalloc(l->ctx, UUID_TEXT, "id");

		id_format(&hits[i].id, id);
		int at = find(l, id, hits[i].text);

		if (at < 0 && l->n < LOOKUP_PASSAGES) {
			at = l->n++;
			l->passages[at] = (struct llm_passage){
				.n = at + 1,
				.title = hits[i].title,
				.url = hits[i].url,
				.document_id = id,
				.text = hits[i].text,
				.score = hits[i].score,
				.kind = hits[i].kind,
			};
		}
		if (at < 0)
			continue;
		if (place)
			place[n] = at;
		n++;
	}
	return n;
}

void
lookup_message(struct lookup *l, const struct llm_message *history,
    int nhistory, const char *message)
{
	int limit = l->spec->search_results, n = 0;
	struct err e = { 0 };
	const char *before;
	enum prompt_search how;

	if (limit <= 0)
		return;
	how = prompt_search_how(history, nhistory, message, &before);
	if (how == PROMPT_NOTHING)
		return;
	if (how == PROMPT_ALONE || how == PROMPT_MAYBE_AFTER)
		n = search(l, message, NULL, limit, NULL, &e);
	if (n == 0 && before) {
		const char *both = mem_printf(l->ctx, "%s %s", message, before);

		n = search(l, both, NULL, limit, NULL, &e);
		if (n == 0 && how == PROMPT_AFTER)
			n = search(l, message, NULL, limit, NULL, &e);
	}
	if (n < 0)
		log_event(LOG_WARN, "search_failed", "code", err_name(e.code),
		    "error", e.text, NULL);
}

/* The agent's own entry of a search tool that it offers, or NULL. */
static const struct spec_tool *
offered(const struct agent_spec *spec, const char *name)
{
	for (int i = 0; i < spec->ntools; i++)
		if (spec->tools[i].available &&
		    strcmp(spec->tools[i].name, name) == 0)
			return &spec->tools[i];
	return NULL;
}

static const struct tool *
tool_find(const char *name)
{
	for (size_t i = 0; i < NTOOLS; i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}

bool
lookup_offers(const struct agent_spec *spec, const char *tool)
{
	return tool_find(tool) && offered(spec, tool);
}

static json_t *
declare(const struct tool *t)
{
	return json_pack("{s:s, s:s, s:{s:s, s:{s:{s:s, s:s, s:i, s:i},"
			 " s:{s:s, s:s, s:i, s:i}}, s:[s], s:b}}",
	    "name", t->name, "description", t->text, "parameters", "type",
	    "object", "properties", "query", "type", "string", "description",
	    "What to look for, in the words a catalogue would use.",
	    "minLength", 1, "maxLength", QUERY_MAX, "max_results", "type",
	    "integer", "description", "Most passages wanted.", "minimum", 1,
	    "maximum", LOOKUP_RESULTS, "required", "query",
	    "additionalProperties", 0);
}

/* A list for each choice of tools: they are few and never change. */
static json_t *lists[1 << NTOOLS];
static pthread_once_t lists_once = PTHREAD_ONCE_INIT;

static void
make_lists(void)
{
	for (size_t choice = 1; choice < 1 << NTOOLS; choice++) {
		lists[choice] = json_array();
		for (size_t i = 0; i < NTOOLS; i++)
			if (choice & (size_t)1 << i)
				json_array_append_new(
				    lists[choice], declare(&tools[i]));
	}
}

const json_t *
lookup_declare(const struct agent_spec *spec)
{
	size_t choice = 0;

	pthread_once(&lists_once, make_lists);
	for (size_t i = 0; i < NTOOLS; i++)
		if (offered(spec, tools[i].name))
			choice |= (size_t)1 << i;
	return lists[choice];
}

/* The tool's own limit: max_results of its settings. */
static int
limit_of(const struct agent_spec *spec, const char *name)
{
	const struct spec_tool *t = offered(spec, name);
	json_int_t n =
	    t ? json_integer_value(json_object_get(t->settings, "max_results"))
	      : 0;

	if (n <= 0)
		n = spec->search_results > 0 ? spec->search_results : 5;
	return n < LOOKUP_RESULTS ? (int)n : LOOKUP_RESULTS;
}

/* What the model wrote, checked; *why says what is wrong with it. */
static void
read_arguments(
    const json_t *args, const char **query, int *limit, const char **why)
{
	const char *name;
	json_t *value;

	if (!json_is_object(args)) {
		*why = "the arguments must be a JSON object";
		return;
	}
	*query = NULL;
	json_object_foreach((json_t *)args, name, value)
	{
		if (strcmp(name, "query") == 0) {
			size_t n = json_string_length(value);

			*query = json_string_value(value);
			if (!*query || n == 0 || n > QUERY_MAX) {
				*why = "query must be a string of 1 to 1000 "
				       "bytes";
				return;
			}
		} else if (strcmp(name, "max_results") == 0) {
			json_int_t n = json_integer_value(value);

			if (!json_is_integer(value) || n < 1 ||
			    n > LOOKUP_RESULTS) {
				*why = "max_results must be an integer from 1 "
				       "to 20";
				return;
			}
			*limit = (int)n;
		} else {
			*why = "there are no arguments but query and "
			       "max_results";
			return;
		}
	}
	if (!*query)
		*why = "query is missing";
}

static void
answer(struct lookup *l, const int *place, int n, struct buf *out)
{
	if (n == 0)
		buf_adds(out, "Nothing was found.");
	for (int i = 0; i < n; i++)
		prompt_passages(out, &l->passages[place[i]], 1);
}

bool
lookup_call(struct lookup *l, const char *tool, const char *arguments,
    struct buf *out, char summary[160])
{
	int place[LOOKUP_RESULTS], n, limit = limit_of(l->spec, tool);
	const struct tool *t = tool_find(tool);
	const char *query = NULL, *why = NULL;
	json_auto_t *args = NULL;
	struct err e = { 0 };

	if (json_parse(arguments, strlen(arguments),
		&(struct json_limits){ 8, 100 }, &args, &e) < 0)
		why = e.text;
	else
		read_arguments(args, &query, &limit, &why);
	if (!t)
		why = "there is no such tool";
	if (why) {
		buf_addf(out, "Error: %s.", why);
		snprintf(summary, 160, "bad arguments: %.120s", why);
		return false;
	}
	n = search(l, query, t->kind, limit, place, &e);
	if (n < 0) {
		buf_adds(out, "Error: the search is not available now.");
		snprintf(summary, 160, "search not available");
		return false;
	}
	answer(l, place, n, out);
	snprintf(summary, 160, "%d passage%s", n, n == 1 ? "" : "s");
	return true;
}
