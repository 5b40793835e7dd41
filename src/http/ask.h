/* A request to one of our own sockets, as a web server would send it: for the
 * operator's command, which asks the server what only the server knows. */
#ifndef HTTP_ASK_H
#define HTTP_ASK_H

#include <stdint.h>

#include "util/err.h"

struct buf;

/*
 * ${method} ${target}, without a body, of the FastCGI application at the Unix
 * socket ${path}; the answer's body goes into ${body} and its status into
 * *status.  0, or -1: ERR_UNAVAILABLE (nobody serves there), ERR_TIMEOUT,
 * ERR_UPSTREAM (what came is no answer).
 */
int http_ask(const char *path, const char *method, const char *target,
    int64_t deadline, int *status, struct buf *body, struct err *e);

#endif
