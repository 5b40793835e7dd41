/*
 * Server-sent events: each goes out with one flush and no copy of ours.  A
 * line break inside the data would end the field, so data with one is sent as
 * several data lines, which the reader joins again.
 */
#include "http/sse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/http_priv.h"
#include "http/response.h"

#include "util/banned.h"

int
sse_begin(struct http_resp *r)
{
	static const char retry[] = "retry: 500\n\n";

	http_set(r, "Cache-Control", "no-cache, no-store");
	http_set(r, "X-Accel-Buffering", "no");
	if (http_stream_begin(r, "text/event-stream") != 0)
		return -1;
	return http_stream(r, retry, sizeof(retry) - 1);
}

static void
put_text(struct http_resp *r, const char *s)
{
	resp_body(r, s, strlen(s));
}

/* CR, LF and CR LF each end a line. */
static void
put_data(struct http_resp *r, const char *p, size_t n)
{
	const char *end = p + n;

	for (;;) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		put_text(r, "data: ");
		resp_body(r, p, (size_t)(stop - p));
		put_text(r, "\n");
		if (stop == end)
			return;
		p = stop + 1;
		if (*stop == '\r' && p < end && *p == '\n')
			p++;
	}
}

int
sse_event(struct http_resp *r, const char *event, const char *turn, int64_t n,
    const char *json, size_t len)
{
	char number[24];

	if (!http_sent(r))
		return -1;
	put_text(r, "event: ");
	put_text(r, event);
	if (turn != NULL) {
		snprintf(number, sizeof(number), ":%" PRId64, n);
		put_text(r, "\nid: ");
		put_text(r, turn);
		put_text(r, number);
	}
	put_text(r, "\n");
	put_data(r, json, len);
	put_text(r, "\n");
	return resp_flush(r);
}

int
sse_ping(struct http_resp *r)
{
	static const char ping[] = ": ping\n\n";

	return http_stream(r, ping, sizeof(ping) - 1);
}
