/* Cross-origin answers, from an exact allow-list; never "*", no credentials. */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

struct http_req;
struct http_resp;

/* Access-Control-* of an answer for an allowed ${origin}, with Vary. */
void cors_allow(struct http_resp *, const char *origin);
/* Answer a preflight: 204 with methods and headers for an allowed origin, or
 * (NULL: not allowed, nobody's) without, which the browser takes as a no. */
void cors_preflight(struct http_resp *, const char *origin);

#endif
