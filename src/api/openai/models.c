/* GET models: the account's agents that are active, as models. */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/openai/openai.h"
#include "api/openai/store_openai.h"
#include "api/reply.h"
#include "auth/key.h"
#include "db/db.h"
#include "http/request.h"
#include "util/clock.h"

#include "util/banned.h"

#define READ_TIME (3 * CLOCK_S)

static json_t *
model_json(const struct account *account, const struct uuid *id,
    const char *type, const char *name)
{
	return json_pack("{s:o, s:s, s:I, s:s}", "id",
	    json_sprintf("%s/%s", type, name), "object", "model", "created",
	    (json_int_t)(id_time_ms(id) / 1000), "owned_by", account->slug);
}

/* A widget key may be for one agent only, and knows of no other. */
static bool
is_for(const struct key *key, const struct uuid *agent)
{
	return key->kind != KEY_WIDGET || id_is_nil(&key->agent_id) ||
	       id_eq(&key->agent_id, agent);
}

void
api_openai_models(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *answer =
	    json_pack("{s:s, s:[]}", "object", "list", "data");
	char account[UUID_TEXT];
	struct err e = { 0 };

	id_format(&who->account->id, account);
	struct db_call call = {
		.stmt = &openai_store_models, .param = { account }, .nparams = 1
	};

	if (db_run(app->db, DB_READ, &who->account->id, &call, 1,
		clock_mono() + READ_TIME, req->ctx, &e) < 0) {
		openai_error_send(req, resp, &e, NULL, NULL);
		return;
	}
	for (int i = 0; i < db_rows(call.result); i++) {
		struct uuid id;

		if (db_uuid(call.result, i, 0, &id) == 0 &&
		    is_for(who->key, &id))
			json_array_append_new(json_object_get(answer, "data"),
			    model_json(who->account, &id,
				db_text(call.result, i, 1),
				db_text(call.result, i, 2)));
	}
	reply_json(req, resp, 200, answer);
}

void
api_openai_model(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *type = http_var(req, "agent_type");
	const char *name = http_var(req, "instance_name");
	const struct agent_spec *spec = NULL;
	json_auto_t *answer = NULL;
	struct err e = { 0 };
	int rc = catalog_get(app->chat.catalog, who->account, type, name,
	    clock_mono() + READ_TIME, &spec, &e);

	if (rc == 0 && is_for(who->key, &spec->id)) {
		answer = model_json(who->account, &spec->id, type, name);
		reply_json(req, resp, 200, answer);
	} else {
		if (rc == 0 || e.code == ERR_NOT_FOUND)
			err_set(&e, ERR_NOT_FOUND,
			    "there is no model %.80s/%.80s for this caller",
			    type, name);
		openai_error_send(req, resp, &e,
		    e.code == ERR_NOT_FOUND ? "model_not_found" : NULL,
		    e.code == ERR_NOT_FOUND ? "model" : NULL);
	}
	if (spec)
		agent_spec_unref(spec);
}
