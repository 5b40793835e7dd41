/* Writing down why, and reading it back. */
#include "gateway/why.h"

#include <string.h>

#include "util/json.h"
#include "util/str.h"

#include "util/banned.h"

void
why_name(char out[WHY_NAME], const char *name)
{
	size_t n = strnlen(name, WHY_NAME);

	if (n == WHY_NAME)
		n = str_utf8_prefix(name, WHY_NAME - 1);
	memcpy(out, name, n);
	out[n] = '\0';
}

void
why_round(struct why *w)
{
	if (w != NULL)
		w->round++;
}

void
why_candidate(struct why *w, const struct why_candidate *c)
{
	if (w == NULL || w->ncandidates++ >= WHY_CANDIDATES)
		return;
	w->candidate[w->ncandidates - 1] = *c;
	w->candidate[w->ncandidates - 1].round = w->round;
}

void
why_attempt(struct why *w, const struct why_attempt *a)
{
	if (w == NULL || w->nattempts++ >= WHY_ATTEMPTS)
		return;
	w->attempt[w->nattempts - 1] = *a;
	w->attempt[w->nattempts - 1].round = w->round;
}

const char *
why_outcome(bool ok, bool abandoned, int status)
{
	if (ok)
		return "ok";
	if (abandoned)
		return "abandoned";
	if (status == 429)
		return "limit";
	if (status == 401 || status == 402 || status == 403)
		return "denied";
	if (status == 404)
		return "no_model";
	if (status >= 400 && status < 500 && status != 408 && status != 409)
		return "caller";
	return "server";
}

/* "${comma}"name":"value"", nothing for NULL. */
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
write_candidate(struct buf *b, const struct why_candidate *c)
{
	add_number(b, "{\"round\":", c->round, -1);
	add_credential(b, &c->credential, c->name);
	add_text(b, ",\"state\":", c->state);
	add_text(b, ",\"refused\":", c->refused);
	if (c->refused == NULL)
		buf_addf(b, ",\"score\":%.6g", c->score);
	add_number(b, ",\"rpm_left\":", c->rpm_left, -1);
	add_number(b, ",\"tpm_left\":", c->tpm_left, -1);
	add_number(b, ",\"itpm_left\":", c->itpm_left, -1);
	buf_addc(b, '}');
}

static void
write_attempt(struct buf *b, const struct why_attempt *a)
{
	add_number(b, "{\"round\":", a->round, -1);
	add_credential(b, &a->credential, a->name);
	add_text(b, ",\"outcome\":", a->outcome);
	add_number(b, ",\"status\":", a->status, 0);
	add_number(b, ",\"ms\":", a->ms, -1);
	add_number(b, ",\"input_tokens\":", a->input, 0);
	add_number(b, ",\"cached_input_tokens\":", a->cached, 0);
	add_number(b, ",\"output_tokens\":", a->output, 0);
	if (a->injected)
		buf_adds(b, ",\"injected\":true");
	buf_addc(b, '}');
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
why_write(const struct why *w, struct buf *b)
{
	int n;

	buf_addf(b, "{\"rounds\":%d", w->round);
	add_text(b, ",\"account_from\":", w->account_tier);
	add_text(b, ",\"agent_from\":", w->agent_tier);
	add_text(b, ",\"model_wanted\":", w->wanted);
	if (w->used != NULL &&
	    (w->wanted == NULL || strcmp(w->used, w->wanted) != 0))
		add_text(b, ",\"model_used\":", w->used);
	add_text(b, ",\"model_rule\":", w->rule);
	add_text(b, ",\"strategy\":", w->strategy);
	add_text(b, ",\"drill\":", w->drill);
	write_limit(b, &w->limit);
	n = w->ncandidates < WHY_CANDIDATES ? w->ncandidates : WHY_CANDIDATES;
	for (int i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? "," : ",\"candidates\":[");
		write_candidate(b, &w->candidate[i]);
	}
	if (n > 0)
		buf_addc(b, ']');
	add_number(b, ",\"candidates_more\":", w->ncandidates - n, 0);
	n = w->nattempts < WHY_ATTEMPTS ? w->nattempts : WHY_ATTEMPTS;
	for (int i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? "," : ",\"attempts\":[");
		write_attempt(b, &w->attempt[i]);
	}
	if (n > 0)
		buf_addc(b, ']');
	add_number(b, ",\"attempts_more\":", w->nattempts - n, 0);
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
	    "round", count(c, "round"), "credential_id",
	    member(c, "credential_id"), "name", member(c, "name"), "state",
	    member(c, "state"), "refused", member(c, "refused"), "score",
	    member(c, "score"), "rpm_left", member(c, "rpm_left"), "tpm_left",
	    member(c, "tpm_left"), "itpm_left", member(c, "itpm_left"));
}

static json_t *
show_attempt(const json_t *a)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
	    "round", count(a, "round"), "credential_id",
	    member(a, "credential_id"), "name", member(a, "name"), "outcome",
	    member(a, "outcome"), "status", member(a, "status"), "ms",
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
