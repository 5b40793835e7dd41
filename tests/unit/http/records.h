/* FastCGI records as a web server builds and reads them, for the tests. */
#ifndef TESTS_HTTP_RECORDS_H
#define TESTS_HTTP_RECORDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REC_BEGIN 1
#define REC_ABORT 2
#define REC_END 3
#define REC_PARAMS 4
#define REC_STDIN 5
#define REC_STDOUT 6

struct wire {
	uint8_t b[512 * 1024];
	size_t n;
};

static inline void
wire_record(struct wire *w, int type, const void *p, size_t n, unsigned pad)
{
	uint8_t head[8] = { 1, (uint8_t)type, 0, 1, (uint8_t)(n >> 8),
		(uint8_t)n, (uint8_t)pad, 0 };

	memcpy(w->b + w->n, head, 8);
	if (n > 0)
		memcpy(w->b + w->n + 8, p, n);
	memset(w->b + w->n + 8 + n, 0, pad);
	w->n += 8 + n + pad;
}

static inline void
wire_begin(struct wire *w, int role, int flags)
{
	uint8_t body[8] = { 0, (uint8_t)role, (uint8_t)flags };

	wire_record(w, REC_BEGIN, body, 8, 0);
}

static inline size_t
wire_length(uint8_t *p, size_t n)
{
	if (n < 128) {
		p[0] = (uint8_t)n;
		return 1;
	}
	p[0] = (uint8_t)(0x80 | n >> 24);
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
	return 4;
}

/* One record with one parameter; a web server puts many in one. */
static inline void
wire_param(struct wire *w, const char *name, const char *value)
{
	static uint8_t body[70000];
	size_t n = strlen(name), v = strlen(value), at;

	at = wire_length(body, n);
	at += wire_length(body + at, v);
	memcpy(body + at, name, n);
	memcpy(body + at + n, value, v);
	at += n + v;
	for (size_t off = 0; off < at; off += 60000)
		wire_record(w, REC_PARAMS, body + off,
		    at - off > 60000 ? 60000 : at - off, 0);
}

static inline void
wire_body(struct wire *w, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0) {
		size_t part = n > 30000 ? 30000 : n;

		wire_record(w, REC_STDIN, from, part, (unsigned)(-part & 7));
		from += part;
		n -= part;
	}
	wire_record(w, REC_STDIN, NULL, 0, 0);
}

/* A whole request; ${length} NULL: no CONTENT_LENGTH. */
static inline void
wire_request(struct wire *w, int flags, const char *method, const char *uri,
    const char *length, const void *body, size_t n)
{
	wire_begin(w, 1, flags);
	wire_param(w, "REQUEST_METHOD", method);
	wire_param(w, "REQUEST_URI", uri);
	wire_param(w, "REMOTE_ADDR", "192.0.2.7");
	if (length != NULL)
		wire_param(w, "CONTENT_LENGTH", length);
	wire_record(w, REC_PARAMS, NULL, 0, 0);
	wire_body(w, body, n);
}

/*
 * Take the records of ${w} apart: the text of stdout into ${out} (terminated).
 * Returns 1 when an end record closes it, 0 when that is missing, -1 when the
 * bytes are no records.
 */
static inline int
wire_answer(const uint8_t *p, size_t n, char *out, size_t max)
{
	size_t have = 0;
	int end = 0;

	while (n >= 8) {
		size_t len = (size_t)(p[4] << 8 | p[5]), all = 8 + len + p[6];

		if (p[0] != 1 || end == 1)
			return -1;
		if (all > n)
			break;
		if (p[1] == REC_STDOUT && have + len < max) {
			memcpy(out + have, p + 8, len);
			have += len;
		} else if (p[1] == REC_END) {
			end = 1;
		}
		p += all;
		n -= all;
	}
	out[have] = '\0';
	return end;
}

#endif
