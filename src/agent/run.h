/*
 * One run of an agent: retrieve, ask the model, call tools, ask again, until
 * it is done, the step limit or the deadline is reached, or the reader is
 * gone.
 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include <jansson.h>
#include <stdbool.h>
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

/*
 * What a caller brings who keeps the conversation himself, and functions of his
 * own.  A call of one of those ends the run with LLM_TOOL_CALLS; it stands in
 * tool_calls with "caller": true, and what else was called with it is not run:
 * the next request does not know of it.
 */
struct agent_given {
	const struct llm_message *after; /* what follows the message */
	int nafter;
	const char *system;    /* follows the agent's own, or NULL */
	const json_t *tools;   /* [{name, description, parameters}], or NULL */
	bool only_tools;       /* the agent's own are not offered */
	const json_t *options; /* llm_request.options, or NULL */
	int max_tokens;        /* at most the agent's; 0: those */
	double temperature;    /* < 0: the agent's */
};

struct agent_ask {
	const struct account *account;
	const struct agent_spec *spec;
	const char *model; /* from gateway_choose */
	const struct llm_message *history;
	int nhistory;
	const char *message;
	const struct agent_given *given; /* or NULL */
	const char *traceparent;
	int64_t deadline;
	const struct gateway_watch *watch; /* goes along; NULL: nobody */
};

struct agent_answer {
	struct llm_reply reply; /* text: all that was said; usage: summed */
	/* [{id,name,arguments,ok,summary}], never NULL; "caller": true where
	 * the caller is to run it */
	json_t *tool_calls;
	json_t *tool_offsets; /* of each: bytes of text said before it */
	json_t *citations; /* [{n,title,url,document_id,quote}], never NULL */
	int steps;
	struct gateway_story story; /* whom the model's calls went to */
};

/* 0, or -1 with e and what there was in *out.  Memory below ctx. */
int agent_run(const struct agent_deps *, const struct agent_ask *,
    struct agent_sink *, const void *ctx, struct agent_answer *out,
    struct err *e);

/* Of ${given}->tools: the name of one that ${spec} has itself; NULL: none. */
const char *agent_tool_taken(
    const struct agent_spec *, const struct agent_given *given);

#endif
