/*
 * Single sign-on of accounts by OpenID Connect, as an admin worker has it: how
 * each account's provider is set up, and the providers as they are known.
 */
#ifndef SSO_SSO_H
#define SSO_SSO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sso/fetch.h"
#include "sso/provider.h"
#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct db_call;
struct vault;

struct sso_opts {
	struct net *net;
	const char *const *egress_allow; /* checked at the start */
	struct db_pool *db;              /* sb_admin's */
	struct vault *vault;
	const char *master_key_file;
	const char *front_secret_file; /* "": no sign-on by the web server */
};

struct sso;

/* Before threads; what ${o} points to lives on.  NULL with e. */
struct sso *sso_new(const struct sso_opts *o, struct err *e);
void sso_free(struct sso *);

const struct fetcher *sso_fetcher(const struct sso *);

/* How an account's provider is set up; texts below its context. */
struct sso_connection {
	struct uuid account;
	const char *issuer;
	const char *client_id, *client_auth;   /* NULL: front */
	const char *role_claim, *default_role; /* NULL: none */
	json_t *scopes, *role_map; /* released with sso_connection_free() */
	bool is_active, trust_email, auto_join;
	bool front;            /* proven by the web server in front (front.h) */
	unsigned char *sealed; /* the secret; NULL: none */
	size_t sealed_len;
	int64_t secret_version;
};

/* 1 with *out below ctx, to be given to sso_connection_free(); 0: the account
 * has none; -1. */
int sso_connection_get(struct sso *, const struct uuid *account,
    int64_t deadline, const void *ctx, struct sso_connection *out,
    struct err *e);
void sso_connection_free(struct sso_connection *);

/*
 * Seal a client secret for the account: *sealed as bytea's text ("\x...") and
 * its version, both below ctx.
 */
int sso_secret_seal(struct sso *, const struct uuid *account,
    const char *secret, int64_t deadline, const void *ctx, char **sealed,
    char **version, struct err *e);

#endif
