/* What the files of this folder know of each other. */
#ifndef SSO_SSO_PRIV_H
#define SSO_SSO_PRIV_H

#include "sso/sso.h"

#define SSO_PURPOSE_SECRET "sso-client-secret"
#define SSO_PURPOSE_TOKEN "sso-id-token"

struct sso {
	struct fetcher fetcher;
	struct db_pool *db;
	struct vault *vault;
	struct providers *providers;
	unsigned char state_key[32]; /* flow.c */
	bool has_front;              /* front.c */
	unsigned char front_hash[32];
};

/* 0 with the account's connection, where it is switched on and of that kind. */
int sso_active(struct sso *, const struct uuid *account, bool front,
    int64_t deadline, const void *ctx, struct sso_connection *out,
    struct err *e);

/* -1 with ERR_NOT_FOUND. */
int sso_not_here(struct err *e);

/* The bytes of bytea's text in hexadecimal, below ctx. */
unsigned char *sso_unhex(const void *ctx, const char *hex, size_t n);
/* Bytes as bytea's text, below ctx. */
char *sso_hex(const void *ctx, const unsigned char *p, size_t n);

/* ${hash} is used, and that is known for ${seconds}: *first says whether it was
 * not before. */
int sso_spend(struct sso *, const struct uuid *account,
    const unsigned char hash[32], int seconds, int64_t deadline,
    const void *ctx, bool *first, struct err *e);

#endif
