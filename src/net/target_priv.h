/* Where a call goes: its origin, and what libcurl is told of it. */
#ifndef NET_TARGET_PRIV_H
#define NET_TARGET_PRIV_H

#include <curl/curl.h>

#include "net/net_priv.h"
#include "net/resolve.h"

struct target {
	char origin[ORIGIN_SIZE];
	char host[RESOLVE_NAME];
	char port[8];
};

/* 0, or -1: not an http or https address. */
int target_parse(const char *url, struct target *);
/* For CURLOPT_RESOLVE and CURLOPT_HTTPHEADER; NULL: no memory. */
struct curl_slist *target_addresses(
    const struct target *, const struct resolved *);
struct curl_slist *target_headers(const char *const *lines);

#endif
