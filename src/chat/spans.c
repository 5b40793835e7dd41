/*
 * A span for each call of a provider, as a line of the log with the attributes
 * that traces of such calls have in the field: what an exporter of traces will
 * send can be read, and counted, already.
 */
#include <inttypes.h>
#include <stdio.h>

#include "account/account.h"
#include "chat/turn_priv.h"
#include "llm/price.h"
#include "telemetry/log.h"

#include "util/banned.h"

static const char *
category_of(const struct chat_ask *ask)
{
	const char *category =
	    json_string_value(json_object_get(ask->metadata, "category"));

	return category ? category : ask->stream ? "stream" : "chat";
}

static void
span(const struct chat_turn *t, const struct gateway_attempt *a)
{
	char cost[32], id[UUID_TEXT], turn[UUID_TEXT];
	int64_t nano;
	bool priced = price_cost(t->model, &a->usage, t->started_us, &nano);

	/* The account of the attributes is the provider's: whose key it was. */
	id_format(&a->credential, id);
	id_format(&t->id, turn);
	if (priced)
		snprintf(cost, sizeof(cost), "%.9f", (double)nano / 1e9);
	log_event(LOG_INFO, "span", "name", "ai.call", "turn", turn,
	    "account.id", id_is_nil(&a->credential) ? NULL : id, "account.name",
	    a->name ? a->name : "default", "ai.model", t->model, "ai.category",
	    category_of(t->priv->ask), "ai.tokens.input",
	    log_int(a->usage.input), "ai.tokens.output",
	    log_int(a->usage.output), "ai.cost_usd", priced ? cost : NULL,
	    "ai.duration_ms", log_int(a->ms), "outcome",
	    health_outcome_name(a->outcome), NULL);
}

void
turn_spans(const struct chat_turn *t)
{
	const struct gateway_story *s = &t->answer.story;

	for (int i = 0; i < s->nattempts; i++)
		span(t, &s->attempts[i]);
}
