/*
 * A stream that costs nothing, for `switchboard doctor`: a few events with
 * pauses in between.  It goes the way of every chat stream through the web
 * server, so what it shows there holds for those: "-" is no account's slug.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "auth/probe.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "util/str.h"

#include "util/banned.h"

#define EVENTS 6
#define PAUSE_MS 150

void
api_probe(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	static const char bearer[] = "Bearer ";
	const char *given = http_header(req, "authorization");
	struct err e = { 0 };
	char json[64];
	int i, n;

	(void)app;
	(void)caller;
	if (given == NULL || !str_starts(given, bearer) ||
	    !probe_check(given + sizeof(bearer) - 1)) {
		err_set(&e, ERR_NOT_FOUND, "nothing is at this address");
		problem_send(req, resp, &e, NULL);
		return;
	}
	if (sse_begin(resp) != 0)
		return;
	for (i = 1; i <= EVENTS; i++) {
		if (i > 1)
			poll(NULL, 0, PAUSE_MS);
		n = snprintf(json, sizeof(json),
		    "{\"n\":%d,\"of\":%d,\"pause_ms\":%d}", i, EVENTS,
		    PAUSE_MS);
		if (sse_event(resp, "tick", NULL, 0, json, (size_t)n) != 0)
			return;
	}
}
