/*
 * What a worker process gives its handlers, and the function that serves one
 * request with it.  daemon/worker.c fills one in after the fork.
 */
#ifndef API_APP_H
#define API_APP_H

#include <stdbool.h>
#include <stdio.h>

#include "api/routes.h"
#include "chat/turn.h"
#include "mail/queue.h"

struct accounts;
struct keys;
struct later;
struct pages;
struct sso;
struct templates;
struct tokens;
struct vault;

struct app {
	int face; /* which rows this pool serves */
	struct chat_deps chat;
	struct accounts *accounts;
	struct keys *keys;
	struct tokens *tokens;
	struct vault *vault;    /* of secrets at rest */
	struct sso *sso;        /* single sign-on; admin workers */
	int64_t sso_per_minute; /* beginnings and returns of an address */
	int64_t access_s, refresh_s, widget_s; /* lives of tokens, seconds */
	int64_t grace_days;                    /* of deleted accounts */
	bool sign_up; /* people open accounts themselves */
	struct mail_conf mail;
	struct later *later;        /* for such mails as nobody must notice */
	const char *mail_templates; /* directory */
	const char *const *public_urls; /* the first one is for links */
	struct db_pool *db;
	const struct templates *templates;
	const struct pages *pages; /* NULL: they could not be read */
	size_t body_max_chat, body_max_admin, message_max;
	int beat_ms;
	const char *const *trusted_proxies;
	const char *const *metrics_allow;
	const char *version;
	/* /readyz: what is missing, one line each, into ${out}; 0 = ready */
	int (*ready)(void *arg, char *out, size_t max);
	void *ready_arg;
};

/* Serve a request: find the route, guard, handle, count, log.  Any thread. */
void app_serve(struct app *, struct http_req *, struct http_resp *);
/* Answer 503 + Retry-After for want of a thread. */
void app_shed(struct app *, struct http_req *, struct http_resp *);
/* Register route names for metrics; once, in the master. */
void app_setup_metrics(void);
/* openapi.json as text below ctx. */
char *app_openapi(const void *ctx, const char *version);
/* The route table as a Markdown table. */
void app_write_routes(FILE *);

#endif
