/*
 * The fire drill of a provider's key: one turn in which its calls fail, and
 * what the failover did about it.
 */
#include <string.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/telling.h"
#include "api/validate.h"
#include "chat/session.h"
#include "chat/turn.h"
#include "gateway/fault.h"
#include "http/address.h"
#include "http/request.h"
#include "telemetry/trace.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)
#define MESSAGE "This is a drill. Please answer with one word."

/* What is drilled with which agent; the texts lie below req->ctx. */
static int
read_drill(const struct http_req *req, const json_t *body, struct chat_ask *ask,
    json_t **metadata, json_t **errors, struct err *e)
{
	const char *agent = json_body_text(body, "agent"),
		   *message = json_body_text(body, "message"),
		   *credential = http_var(req, "credential_id"),
		   *slash = strchr(agent, '/');

	if (id_parse(credential, strlen(credential), &ask->faulty) != 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	ask->fault = fault_named(json_body_text(body, "fault"));
	ask->agent_type =
	    slash ? mem_strndup(req->ctx, agent, (size_t)(slash - agent)) : "";
	ask->agent_name = slash ? slash + 1 : "";
	if (!str_is_name(ask->agent_type) || !str_is_name(ask->agent_name)) {
		*errors = validate_one("/agent", "an agent is TYPE/NAME");
		return err_set(e, ERR_INVALID, "an agent is TYPE/NAME");
	}
	ask->message = message ? message : MESSAGE;
	ask->message_len = strlen(ask->message);
	*metadata = json_pack(
	    "{s:s, s:s}", "drill", ask->fault, "credential_id", credential);
	ask->metadata = *metadata;
	return 0;
}

static int
drill(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, struct chat_ask *ask, json_t **why, struct err *e)
{
	struct chat_turn *t;
	struct telling f;
	int rc;

	telling_init(&f, app, req, resp, who, false);
	rc = chat_turn_run(&app->chat, ask, &f.sink, req->ctx, &t, e);
	/* A turn that failed has its record too. */
	if (!t->durable)
		return rc < 0 ? -1
		              : err_set(e, ERR_UNAVAILABLE,
				    "the drill could not be stored");
	return chat_turn_why(app->chat.db, who->account, &t->id,
	    clock_mono() + READ_WAIT, why, e);
}

void
api_credential_drill(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	char traceparent[TRACE_PARENT_SIZE], client[ADDRESS_CLIENT_TEXT];
	json_auto_t *body = NULL, *errors = NULL, *metadata = NULL, *why = NULL;
	struct err e = { 0 };
	struct chat_ask ask = { .key = who->key,
		.slug = http_var(req, "slug"),
		.client_address = client,
		.request_id = req->request_id,
		.trace_id = req->trace.trace_id,
		.traceparent = traceparent };

	address_client(req->client_address, client);
	trace_parent(&req->trace, traceparent);
	if (json_body(app, req, "credential_drill", &body, &errors, &e) < 0 ||
	    read_drill(req, body, &ask, &metadata, &errors, &e) < 0 ||
	    drill(app, req, resp, who, &ask, &why, &e) < 0)
		problem_send(req, resp, &e, errors);
	else
		reply_json(req, resp, 200, why);
}
