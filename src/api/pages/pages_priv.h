/* Among the pages. */
#ifndef API_PAGES_PAGES_PRIV_H
#define API_PAGES_PAGES_PRIV_H

#include <stdint.h>

#include "http/request.h"
#include "util/clock.h"

struct http_resp;

#define PAGE_HOME "/me"

/* The headers of a page. */
void page_headers(struct http_resp *);

static inline int64_t
page_deadline(const struct http_req *req)
{
	return req->started + 10 * CLOCK_S;
}

#endif
