/* FastCGI parameters and a body become a request, and it gets an answer. */
#include "fuzz_http.h"

#include "http/sse.h"
#include "telemetry/log.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return log_open("/dev/null", LOG_ERROR, NULL);
}

/* D6: the head has as many lines as headers were set. */
static void
check_head(const char *out, int headers)
{
	const char *end = strstr(out, "\r\n\r\n");

	if (strncmp(out, "Status: ", 8) != 0 || end == NULL)
		abort();
	for (const char *s = out; (s = strstr(s, "\r\n")) != NULL; s += 2) {
		if (s == end)
			break;
		headers--;
	}
	if (headers < 0)
		abort();
}

static void
answer(struct fuzz_http *f, const char *body, size_t len)
{
	struct http_resp *r = http_resp_new(f->req, &f->io);
	const char *value = http_header(f->req, "x-value");

	if (value != NULL) {
		http_set(r, "X-Value", value);
		http_setf(r, "X-Format", "%s", value);
		http_set(r, value, "name");
	}
	if (len % 2 == 0) {
		http_send(r, "text/plain", body, len);
	} else {
		sse_begin(r);
		sse_event(r, "x", f->req->method, 1, body, len);
	}
	/* nosniff, type and length (or two of a stream), and those above */
	check_head(f->out, 7);
	(void)http_exchange_end(f->req, r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_http f;
	struct err e = { 0 };
	const char *body = "";
	size_t len = 0;
	int limit;

	fuzz_open(&f, data, size);
	if (f.req->nparams > HTTP_PARAMS_MAX || f.req->path == NULL ||
	    f.req->query == NULL || f.req->method == NULL)
		abort();
	(void)http_header(f.req, "x-request-id");
	(void)http_header(f.req, "content-type");
	if (http_query_limit(f.req, &limit, &e) == 0 &&
	    (limit < 1 || limit > 200))
		abort();
	if (http_body(f.req, 256, &body, &len, &e) == 0 &&
	    (len > 256 || (f.req->content_length >= 0 &&
			      (size_t)f.req->content_length != len)))
		abort();
	answer(&f, body, len);
	fuzz_close(&f);
	return 0;
}
