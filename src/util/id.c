/*
 * UUIDs of version 7.  The 12 bits after the milliseconds count within one
 * (RFC 9562 section 6.2, method 1), starting at a random place in the lower
 * half.  The random rest comes from the kernel in draughts of a few ids; what
 * is left of one is wiped in a forked child, so that no two processes use the
 * same bytes.
 */
#include "util/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

static _Thread_local int64_t last_ms;
static _Thread_local unsigned last_seq;

/* Random bytes that nobody has had yet: the last ${left} of ${byte}. */
static _Thread_local struct {
	unsigned char byte[128];
	size_t left;
} pool;
static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;

/* In the child only the thread that forked goes on: this one. */
static void
forget(void)
{
	explicit_bzero(&pool, sizeof(pool));
}

static void
watch(void)
{
	if (pthread_atfork(NULL, NULL, forget) != 0)
		abort();
}

static void
from_kernel(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t r = getrandom(at, n, 0);

		if (r < 0) {
			if (errno == EINTR)
				continue;
			/* Nothing here is safe without random bytes. */
			abort();
		}
		at += r;
		n -= (size_t)r;
	}
}

void
id_random(void *p, size_t n)
{
	unsigned char *from;

	if (n > sizeof(pool.byte) / 2) {
		from_kernel(p, n);
		return;
	}
	if (pool.left < n) {
		pthread_once(&watch_forks, watch);
		from_kernel(pool.byte, sizeof(pool.byte));
		pool.left = sizeof(pool.byte);
	}
	from = pool.byte + sizeof(pool.byte) - pool.left;
	memcpy(p, from, n);
	explicit_bzero(from, n);
	pool.left -= n;
}

void
id_new(struct uuid *u)
{
	int64_t ms = clock_wall_us() / 1000;
	uint8_t r[10];

	id_random(r, sizeof(r));
	if (ms > last_ms) {
		last_seq = ((unsigned)(r[0] & 0x07) << 8) | r[1];
	} else {
		/* The same millisecond, or a clock that was set back. */
		ms = last_ms;
		if (++last_seq > 0xfff) {
			ms++;
			last_seq = ((unsigned)(r[0] & 0x07) << 8) | r[1];
		}
	}
	last_ms = ms;
	for (int i = 0; i < 6; i++)
		u->b[i] = (uint8_t)(ms >> (40 - 8 * i));
	u->b[6] = (uint8_t)(0x70 | (last_seq >> 8));
	u->b[7] = (uint8_t)(last_seq & 0xff);
	memcpy(u->b + 8, r + 2, 8);
	u->b[8] = (uint8_t)((u->b[8] & 0x3f) | 0x80);
	u->b[15] &= 0xfc;
}

static bool
dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int
id_parse(const char *s, size_t n, struct uuid *u)
{
	struct uuid v;
	size_t at = 0;

	if (n != UUID_TEXT - 1)
		return -1;
	for (size_t i = 0; i < n;) {
		int hi, lo;

		if (dash_at(i)) {
			if (s[i++] != '-')
				return -1;
			continue;
		}
		hi = str_hex_digit(s[i]);
		lo = str_hex_digit(s[i + 1]);
		if (hi < 0 || lo < 0)
			return -1;
		v.b[at++] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	*u = v;
	return 0;
}

void
id_format(const struct uuid *u, char out[UUID_TEXT])
{
	char hex[33];
	size_t at = 0;

	str_hex(u->b, sizeof(u->b), hex);
	for (size_t i = 0; i < UUID_TEXT - 1; i++)
		out[i] = dash_at(i) ? '-' : hex[at++];
	out[UUID_TEXT - 1] = '\0';
}

bool
id_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
id_is_nil(const struct uuid *u)
{
	static const struct uuid nil;

	return id_eq(u, &nil);
}

int64_t
id_time_ms(const struct uuid *u)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}

void
id_user_message(const struct uuid *turn, struct uuid *out)
{
	*out = *turn;
	out->b[15] = (uint8_t)((turn->b[15] & 0xfc) | 0x01);
}

void
id_reply_message(const struct uuid *turn, struct uuid *out)
{
	*out = *turn;
	out->b[15] = (uint8_t)((turn->b[15] & 0xfc) | 0x02);
}
