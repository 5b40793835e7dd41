/*
 * Keys that machines show: API keys (secret, 256 random bits, "sb_live_...")
 * and widget keys (public, "sb_pub_...", bound to origins and, when wanted, to
 * one agent instance).  Stored as SHA-256; looked up through a per-process
 * LRU.  To what comes after, a person with an access token is a key too: of a
 * kind of its own, with her role in the account.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/perm.h"
#include "util/err.h"
#include "util/id.h"

struct keys;
struct tiers;
struct token;
struct lru_stats;

enum key_kind { KEY_API, KEY_WIDGET, KEY_USER };

struct key {
	enum key_kind kind;
	struct uuid id;         /* the key's; KEY_USER: the person's */
	struct uuid account_id; /* KEY_USER: nil outside any account */
	uint32_t account_slot;
	uint64_t epoch;
	/* ROLE_VISITOR for a widget key; ROLE_NONE for a person who is no
	 * member of the account; ROLE_CUSTOM: see perms */
	enum role role;
	perm_set perms;       /* what it may */
	char role_name[64];   /* to be shown */
	bool wants_factor;    /* KEY_USER: the account does, of her role */
	uint32_t user_slot;   /* KEY_USER */
	uint64_t version;     /* KEY_USER: of her tokens */
	int64_t expires_us;   /* 0 never */
	struct uuid agent_id; /* KEY_WIDGET: the one agent; nil: any */
	char **origins;       /* KEY_WIDGET */
	int norigins;
	/* KEY_WIDGET, for its pages: the names of its one agent (NULL: any),
	 * and how it looks, as JSON */
	const char *agent_type, *agent_name, *appearance;
	/* KEY_WIDGET: the secrets whose visitors' tokens are good */
	struct uuid *visitor_secrets;
	int nvisitor_secrets;
	/* KEY_WIDGET that came by a token which names a visitor; nil: nobody */
	struct uuid visitor;
};

/* Keeps up to ${hot} keys in this process; the tiers must outlive it. */
struct keys *keys_new(const struct tiers *, unsigned hot);
void keys_free(struct keys *);

/*
 * The key whose text is ${secret}; the caller gives the reference back.
 * ERR_UNKNOWN for every reason a key is not good (malformed, not there,
 * revoked, expired; same text for all), ERR_UNAVAILABLE.  Any thread; no query
 * for a malformed text, for a cached key, or for one that was unknown a moment
 * ago.
 */
int keys_find(struct keys *, enum key_kind, const char *secret,
    int64_t deadline, const struct key **ret, struct err *e);
/* The same for the key of ${kind} with that hash. */
int keys_find_hash(struct keys *, enum key_kind, const unsigned char hash[32],
    int64_t deadline, const struct key **ret, struct err *e);
/*
 * The same for the person of a good access token, in ${account} or (NULL)
 * outside any: then her role is platform_admin or viewer.  ERR_UNKNOWN when
 * her tokens have ended.
 */
int keys_find_user(struct keys *, const struct token *,
    const struct uuid *account, int64_t deadline, const struct key **ret,
    struct err *e);
void key_unref(const struct key *);
/*
 * Whose sessions are this caller's: a widget key's those made for it, a named
 * visitor's those made for her under that key; nil: any of the account.
 */
struct uuid key_owner(const struct key *);
/* To the metrics; one thread, now and then. */
void keys_tell(struct keys *);
void keys_stats(struct keys *, struct lru_stats *out);

#define KEY_TEXT 64
#define KEY_PREFIX 16
/* Make a new key: its text ("sb_live_" or "sb_pub_" and base64url of 32
 * random bytes), what is shown of it later (its first 12 characters), and its
 * hash. */
void key_make(enum key_kind, char text[KEY_TEXT], char prefix[KEY_PREFIX],
    unsigned char hash[32]);
void key_hash(const char *text, unsigned char hash[32]);
/* Could ${text} be a key of this kind: prefix, length, alphabet? */
bool key_well_formed(enum key_kind, const char *text);

#endif
