/* Writing down why, and reading it back. */
#include "gateway/why.h"

#include <string.h>

#include "gateway/complete.h"
#include "util/json.h"

#include "util/banned.h"

const char *
gateway_source_name(enum gateway_source s)
{
	static const char *const names[] = { "none", "environment", "account",
		"platform" };

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "none";
}

/* ${before}, the member's name with its comma, and the value; nothing for
 * NULL. */
static void
add_text(struct buf *b, const char *before, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	buf_adds(b, before);
	buf_json_str(b, value, strlen(value));
}

static void
add_number(struct buf *b, const char *before, int64_t n, int64_t nothing)
{
	if (n == nothing)
		return;
	buf_adds(b, before);
	buf_addi(b, n);
}

static void
add_credential(struct buf *b, const struct uuid *id, const char *name)
{
	char text[UUID_TEXT];

	if (id_is_nil(id))
		return;
	id_format(id, text);
	add_text(b, ",\"credential_id\":", text);
	add_text(b, ",\"name\":", name);
}

static void
write_candidate(struct buf *b, const struct gateway_candidate *c)
{
	buf_adds(b, "{\"state\":");
	add_text(b, "", health_state_name(c->state));
	add_credential(b, &c->credential, c->name);
	if (c->reason != HEALTH_WHY_NONE)
		add_text(b, ",\"reason\":", health_reason_name(c->reason));
	add_text(b, ",\"refused\":", c->refused);
	if (c->refused == NULL)
		buf_addf(b, ",\"score\":%.6g", c->score);
	if (c->load > 0)
		buf_addf(b, ",\"load\":%.3g", c->load);
	add_number(b, ",\"rpm_left\":", c->rpm_left, -1);
	add_number(b, ",\"tpm_left\":", c->tpm_left, -1);
	buf_addc(b, '}');
}

static void
write_attempt(struct buf *b, const struct gateway_attempt *a)
{
	buf_addf(b, "{\"round\":%d", a->round + 1);
	add_text(b, ",\"source\":", gateway_source_name(a->source));
	add_credential(b, &a->credential, a->name);
	add_text(b, ",\"outcome\":", health_outcome_name(a->outcome));
	add_text(b, ",\"error\":", a->error);
	add_number(b, ",\"status\":", a->status, 0);
	add_number(b, ",\"ms\":", a->ms, -1);
	add_number(b, ",\"input_tokens\":", a->usage.input, 0);
	add_number(b, ",\"cached_input_tokens\":", a->usage.cached, 0);
	add_number(b, ",\"output_tokens\":", a->usage.output, 0);
	if (a->injected)
		buf_adds(b, ",\"injected\":true");
	buf_addc(b, '}');
}

static void
write_story(struct buf *b, const struct gateway_story *s)
{
	int n =
	    s->ncandidates < WHY_CANDIDATES ? s->ncandidates : WHY_CANDIDATES;

	add_number(b, ",\"rounds\":", s->rounds, 0);
	if (n > 0)
		add_text(
		    b, ",\"strategy\":", select_strategy_name(s->strategy));
	for (int i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? "," : ",\"candidates\":[");
		write_candidate(b, &s->candidates[i]);
	}
	if (n > 0)
		buf_addc(b, ']');
	add_number(b, ",\"candidates_more\":", s->ncandidates - n, 0);
	for (int i = 0; i < s->nattempts; i++) {
		buf_adds(b, i > 0 ? "," : ",\"attempts\":[");
		write_attempt(b, &s->attempts[i]);
	}
	if (s->nattempts > 0)
		buf_addc(b, ']');
	add_number(b, ",\"attempts_more\":", s->made - s->nattempts, 0);
}

static void
write_limit(struct buf *b, const struct why_limit *l)
{
	if (l->name[0] == '\0')
		return;
	add_text(b, ",\"limit\":{\"name\":", l->name);
	add_number(b, ",\"limit\":", l->limit, -1);
	add_number(b, ",\"remaining\":", l->remaining, -1);
	add_number(b, ",\"reset_s\":", l->reset_s, -1);
	buf_addc(b, '}');
}

void
why_write(const struct why *w, const struct gateway_story *s, struct buf *b)
{
	buf_adds(b, "{\"version\":1");
	add_text(b, ",\"account_from\":", w->account_tier);
	add_text(b, ",\"agent_from\":", w->agent_tier);
	add_text(b, ",\"model_wanted\":", w->wanted);
	if (w->used != NULL &&
	    (w->wanted == NULL || strcmp(w->used, w->wanted) != 0))
		add_text(b, ",\"model_used\":", w->used);
	add_text(b, ",\"model_rule\":", w->rule);
	add_text(b, ",\"drill\":", w->drill);
	write_limit(b, &w->limit);
	write_story(b, s);
	buf_addc(b, '}');
}

/* --- as the API shows it ------------------------------------------------- */

/* The member, or null, or 0 where that is what absence means. */
static json_t *
member(const json_t *v, const char *name)
{
	json_t *m = json_object_get(v, name);

	return m != NULL ? json_incref(m) : json_null();
}

static json_t *
count(const json_t *v, const char *name)
{
	return json_integer(json_integer_value(json_object_get(v, name)));
}

static json_t *
show_candidate(const json_t *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "credential_id", member(c, "credential_id"), "name",
	    member(c, "name"), "state", member(c, "state"), "reason",
	    member(c, "reason"), "refused", member(c, "refused"), "score",
	    member(c, "score"), "load", member(c, "load"), "rpm_left",
	    member(c, "rpm_left"), "tpm_left", member(c, "tpm_left"));
}

static json_t *
show_attempt(const json_t *a)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:o, s:b}",
	    "round", count(a, "round"), "source", member(a, "source"),
	    "credential_id", member(a, "credential_id"), "name",
	    member(a, "name"), "outcome", member(a, "outcome"), "error",
	    member(a, "error"), "status", member(a, "status"), "ms",
	    count(a, "ms"), "input_tokens", count(a, "input_tokens"),
	    "cached_input_tokens", count(a, "cached_input_tokens"),
	    "output_tokens", count(a, "output_tokens"), "injected",
	    json_is_true(json_object_get(a, "injected")));
}

static json_t *
show_list(const json_t *v, const char *name, json_t *(*show)(const json_t *))
{
	const json_t *list = json_object_get(v, name);
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append_new(out, show(json_array_get(list, i)));
	return out;
}

json_t *
why_show(const json_t *v)
{
	json_t *used = json_object_get(v, "model_used");

	if (used == NULL)
		used = json_object_get(v, "model_wanted");
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:O?, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:o, s:o}",
	    "recorded", json_is_object(v), "rounds", count(v, "rounds"),
	    "account_from", member(v, "account_from"), "agent_from",
	    member(v, "agent_from"), "model_wanted", member(v, "model_wanted"),
	    "model_used", used, "model_rule", member(v, "model_rule"),
	    "strategy", member(v, "strategy"), "drill", member(v, "drill"),
	    "limit", member(v, "limit"), "candidates",
	    show_list(v, "candidates", show_candidate), "candidates_more",
	    count(v, "candidates_more"), "attempts",
	    show_list(v, "attempts", show_attempt), "attempts_more",
	    count(v, "attempts_more"));
}
