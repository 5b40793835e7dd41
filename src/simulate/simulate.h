/*
 * A scripted model provider: OpenAI's chat completions and embeddings and
 * Anthropic's messages over HTTP/1.1, streamed or not, with their limits, their
 * headers, their errors, and every fault that a provider can have.  For trying
 * an installation without a provider, and for our tests.
 *
 * What it does with a request is said by the words of a behaviour, joined with
 * "-", from the first of these that there is:
 *
 *	POST /_control {"key": "sk-x", "plan": "429-retry-3", "times": 2}
 *			by API key; "*": any key that has none of its own;
 *			times 0 or none: until it is set anew; "": no more.
 *			"rpm", "tpm" and "itpm" set the key's limits a minute
 *			(requests, tokens, input tokens), 0: none
 *	[[do:paced-5x20]]	a marker anywhere in the request's text
 *	model "mock-paced-5x20"	the model's name after "mock-"
 *
 * and, for looking at what came:
 *
 *	GET  /_stats	calls by path, key and model, connections, chunks sent,
 *			clients that went away (with ms since 1970), and of
 *			each key what was billed and what is left of its limits
 *	GET  /_last	the last request of each path: its head and body
 *	GET  /_log	the last 64 requests
 *	POST /_reset	forget all of it, settings too
 */
#ifndef SIMULATE_SIMULATE_H
#define SIMULATE_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define SIMULATE_THREADS 64 /* at most */
#define SIMULATE_KEY 128    /* room for an API key, with the NUL */

struct simulate_opts {
	const char *address; /* IPv4, in digits */
	int port;            /* 0: any */
	int threads;
	bool forget;            /* keep no copies of requests (for load) */
	int64_t rpm, tpm, itpm; /* of each key that has no own; 0: none */
};

/* What is set for a key before the first request; as POST /_control.  ${n}
 * characters of ${key}.  0, or -1 with e: unknown words, or too many keys. */
int simulate_script(
    const char *key, size_t n, const char *words, struct err *e);
/* Are these words of a behaviour? */
bool simulate_plan_ok(const char *words);
/* The word number ${i} of the table, and what it does; false: no more. */
bool simulate_word(size_t i, const char **name, const char **help);

/*
 * Serve until SIGINT or SIGTERM, which the caller need not block; ${ready} is
 * told the port once it listens.  One server a process.  0, or -1 with e.
 */
int simulate_llm(const struct simulate_opts *,
    void (*ready)(void *arg, int port), void *arg, struct err *e);

#endif
