/* What making either kind of key has in common (api_keys.c). */
#ifndef API_MANAGE_KEYS_H
#define API_MANAGE_KEYS_H

#include <jansson.h>

#include "auth/key.h"
#include "util/clock.h"
#include "util/id.h"

struct manage;

struct new_key {
	char id[UUID_TEXT], text[KEY_TEXT], prefix[KEY_PREFIX];
	char hash[67]; /* as bytea's text */
	char created_at[CLOCK_RFC3339_SIZE];
};

/* A new key below m->ctx. */
struct new_key *new_key(struct manage *, enum key_kind);
/* Answer 201 with ${shown} and the key's text, which is then forgotten. */
int new_key_answer(struct manage *, struct new_key *, json_t *shown);

#endif
