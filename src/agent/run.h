/*
 * One run of an agent: retrieve, ask the model, call tools, ask again, until
 * it is done, the step limit or the deadline is reached, or the reader is
 * gone.
 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "gateway/complete.h"
#include "llm/llm.h"
#include "util/err.h"

struct account;
struct agent_spec;
struct knowledge;

struct agent_deps {
	struct gateway *gateway;
	struct knowledge *knowledge;
	int tool_rounds;
};

/* Extends the model's sink by tool events. */
struct agent_sink {
	struct llm_sink llm;
	int (*tool_call)(struct agent_sink *, const char *id, const char *name,
	    const char *arguments);
	int (*tool_result)(struct agent_sink *, const char *id,
	    const char *name, bool ok, const char *summary);
};

struct agent_ask {
	const struct account *account;
	const struct agent_spec *spec;
	const char *model; /* from gateway_choose */
	const struct llm_message *history;
	int nhistory;
	const char *message;
	const char *traceparent;
	int64_t deadline;
};

struct agent_answer {
	struct llm_reply reply; /* text: all that was said; usage: summed */
	json_t *tool_calls;   /* [{id,name,arguments,ok,summary}], never NULL */
	json_t *tool_offsets; /* of each: bytes of text said before it */
	json_t *citations; /* [{n,title,url,document_id,quote}], never NULL */
	int steps;
	struct gateway_story story; /* whom the model's calls went to */
};

/* 0, or -1 with e and what there was in *out.  Memory below ctx. */
int agent_run(const struct agent_deps *, const struct agent_ask *,
    struct agent_sink *, const void *ctx, struct agent_answer *out,
    struct err *e);

#endif
