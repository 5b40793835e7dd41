/*
 * UUIDs.  Ours are version 7 (RFC 9562): 48 bits of milliseconds, then random;
 * the last two bits are always 00, so that the ids of a turn's two messages
 * follow from the turn's own (01 what the visitor said, 10 what the agent
 * answered).
 */
#ifndef UTIL_ID_H
#define UTIL_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 37 /* with its NUL */

struct uuid {
	uint8_t b[16];
};

/* A new id; increasing within a thread.  Any thread, also after a fork. */
void id_new(struct uuid *u);
/* Parse the 36-character form, either case.  0 or -1 (u untouched). */
int id_parse(const char *s, size_t n, struct uuid *u);
void id_format(const struct uuid *u, char out[UUID_TEXT]);
bool id_eq(const struct uuid *a, const struct uuid *b);
bool id_is_nil(const struct uuid *u);
int64_t id_time_ms(const struct uuid *u);
/* The ids of a turn's user message and answer (last two bits 01 and 10). */
void id_user_message(const struct uuid *turn, struct uuid *out);
void id_reply_message(const struct uuid *turn, struct uuid *out);
/* Fill ${p} with bytes from getrandom(2). */
void id_random(void *p, size_t n);

#endif
