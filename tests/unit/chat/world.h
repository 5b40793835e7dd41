/*
 * A worker's world for tests of chat: a migrated database, accounts, agents,
 * keys, the writer, and a model that follows a script (with WORLD_CONCIERGE:
 * the built-in one).
 */
#ifndef TESTS_UNIT_CHAT_WORLD_H
#define TESTS_UNIT_CHAT_WORLD_H

#include <stdbool.h>

#include "account/account.h"
#include "auth/key.h"
#include "chat/turn.h"

/* What the model does in its next call. */
struct script {
	const char *says[4];
	enum err_code fails;
	struct llm_usage usage;
	struct uuid credential; /* whose key answers */
	/* called after the first piece, in the run's thread */
	void (*meanwhile)(struct llm_sink *);
};

struct world {
	char *conninfo;
	struct chat_deps deps;
	struct key api, other_api;     /* accounts acme and globex */
	struct key widget, two_widget; /* acme: any agent, and sales/two only */
	struct script script;
	char heard[4096]; /* the messages of the model's last call */
};
extern struct world world;

/* False: no cluster, skip. */
bool world_begin(void);
void world_end(void);
/* The same, as a group's set-up and teardown. */
int world_setup(void **state);
int world_teardown(void **state);
/* Nothing has been said yet: rows and settings as at the beginning, the model
 * says "Hello there.". */
void world_clear(void);
/* The first value of a query, as superuser; good until the next call. */
const char *world_sql(const char *sql);
const struct account *world_account(const char *slug); /* to be unref'd */

/* One turn with an agent of ${slug}; *t hangs below ctx. */
struct listener {
	struct chat_sink sink; /* first */
	char told[4096];
	int opened, leaves_after; /* pieces; 0 never, -1 before the first */
	const char *key;          /* Idempotency-Key */
};
int world_say(const void *ctx, const struct key *key, const char *path,
    const char *session_key, const char *message, struct listener *l,
    struct chat_turn **t, struct err *e);

#endif
