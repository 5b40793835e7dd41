/*
 * The prototype that the design's figures come from: a turn with nothing of
 * ours in it.  Pre-forked processes of plain libfcgi threads read the body, ask
 * the model provider over one kept connection a thread, and answer with what it
 * said: no key, no limit, no history, no search, no database.  What a turn
 * costs beyond this is ours.
 *
 *	proxy SOCKET PROCESSES THREADS PROVIDER-PORT MODEL
 *
 * It trusts the bench: strings go through still escaped, and whatever is
 * unexpected ends the process.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "prefork.h"
#include "util/str.h"

#include "util/banned.h"

#define BYTES ((size_t)64 * 1024)

static uint16_t provider;
static const char *model;

/* What one thread works with. */
struct turn {
	FCGX_Request r;
	int upstream;
	char in[BYTES], body[BYTES], ask[2 * BYTES], said[BYTES], got[BYTES];
	size_t nsaid;
};

_Noreturn static void
stop(const char *why)
{
	fprintf(stderr, "proxy: %s\n", why);
	_exit(1);
}

static int
dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(provider),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		stop("the provider is not there");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The string after "${key}": in ${text}, as it stands there. */
static const char *
string_after(const char *text, const char *key, size_t *n)
{
	const char *p = strstr(text, key), *end;

	if (p == NULL)
		return NULL;
	p += strlen(key);
	while (*p == ' ' || *p == ':')
		p++;
	if (*p++ != '"')
		return NULL;
	for (end = p; *end != '"'; end++) {
		if (*end == '\\')
			end++;
		if (*end == '\0')
			return NULL;
	}
	*n = (size_t)(end - p);
	return p;
}

static void
ask(struct turn *t)
{
	size_t n = 0;
	const char *message = string_after(t->in, "\"message\"", &n);
	int body, all;

	if (message == NULL)
		stop("a request without a message");
	body = snprintf(t->body, sizeof(t->body),
	    "{\"model\":\"%s\",\"stream\":true,\"stream_options\":"
	    "{\"include_usage\":true},\"messages\":[{\"role\":\"user\","
	    "\"content\":\"%.*s\"}]}",
	    model, (int)n, message);
	all = snprintf(t->ask, sizeof(t->ask),
	    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Authorization: Bearer bench\r\n"
	    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
	    body, t->body);
	if (send(t->upstream, t->ask, (size_t)all, MSG_NOSIGNAL) != all)
		stop("the provider took no question");
}

/* Pass on the text of the whole lines in got[0..n); how much was used. */
static size_t
tell(struct turn *t, size_t n, bool stream)
{
	char *line = t->got, *end;

	while ((end = memchr(line, '\n', n - (size_t)(line - t->got)))) {
		size_t len = 0;
		const char *text;

		*end = '\0';
		text = string_after(line, "\"content\"", &len);
		if (text != NULL && len > 0 && stream) {
			FCGX_FPrintF(t->r.out,
			    "event: delta\ndata: {\"text\":\"%.*s\"}\n\n",
			    (int)len, text);
			FCGX_FFlush(t->r.out);
		} else if (text != NULL && len < sizeof(t->said) - t->nsaid) {
			memcpy(t->said + t->nsaid, text, len);
			t->nsaid += len;
		}
		line = end + 1;
	}
	return (size_t)(line - t->got);
}

/* Read the answer to its last chunk. */
static void
answer(struct turn *t, bool stream)
{
	size_t have = 0, used;
	bool last = false;

	t->nsaid = 0;
	while (!last) {
		ssize_t n = recv(
		    t->upstream, t->got + have, sizeof(t->got) - 1 - have, 0);

		if (n <= 0)
			stop("the provider hung up");
		have += (size_t)n;
		last =
		    have >= 5 && memcmp(t->got + have - 5, "0\r\n\r\n", 5) == 0;
		used = tell(t, have, stream);
		have -= used;
		memmove(t->got, t->got + used, have);
	}
}

static void
serve_one(struct turn *t)
{
	const char *path = FCGX_GetParam("REQUEST_URI", t->r.envp);
	bool stream = path != NULL && strstr(path, "/stream") != NULL;
	int n = FCGX_GetStr(t->in, (int)sizeof(t->in) - 1, t->r.in);

	t->in[n > 0 ? n : 0] = '\0';
	ask(t);
	if (stream)
		FCGX_FPrintF(t->r.out, "Content-Type: text/event-stream\r\n"
				       "X-Accel-Buffering: no\r\n\r\n");
	answer(t, stream);
	if (stream)
		FCGX_FPrintF(t->r.out, "event: done\ndata: {}\n\n");
	else
		FCGX_FPrintF(t->r.out,
		    "Content-Type: application/json\r\n"
		    "Content-Length: %d\r\n\r\n{\"reply\":\"%.*s\"}",
		    (int)t->nsaid + 12, (int)t->nsaid, t->said);
	FCGX_Finish_r(&t->r);
}

static void *
serve(void *arg)
{
	struct turn *t = calloc(1, sizeof(*t));

	if (t == NULL || FCGX_InitRequest(&t->r, *(int *)arg, 0) != 0)
		stop("no memory");
	t->upstream = -1;
	while (FCGX_Accept_r(&t->r) >= 0) {
		if (t->upstream < 0)
			t->upstream = dial();
		serve_one(t);
	}
	free(t);
	return NULL;
}

int
main(int argc, char **argv)
{
	int64_t processes, threads, port;

	if (argc != 6 || str_int(argv[2], 1, 64, &processes) != 0 ||
	    str_int(argv[3], 1, 4096, &threads) != 0 ||
	    str_int(argv[4], 1, 65535, &port) != 0) {
		fprintf(stderr,
		    "usage: proxy SOCKET PROCESSES THREADS PROVIDER-PORT "
		    "MODEL\n");
		return 2;
	}
	provider = (uint16_t)port;
	model = argv[5];
	return prefork(argv[1], processes, threads, serve);
}
