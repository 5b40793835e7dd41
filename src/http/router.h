/*
 * Which handler: rows of method and pattern, literal segments and {variables}.
 * Paths are compared byte by byte after one normalisation: the path is refused
 * (404) when it holds an escape, a backslash, an empty or dot segment, a
 * control or non-ASCII byte.  A trailing slash is a different path.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

struct http_req;

struct route_match {
	int row;           /* index in the table, -1 no such path */
	bool other_method; /* the path exists, the method does not: 405 */
	char allow[64];    /* for Allow: */
};

/* A path is at most this many segments. */
#define ROUTER_SEGMENTS 16

/* ${get}(table, i, &method, &pattern): row i, or false past the end.  Sets
 * req->vars on a match, also of the path alone (then those of its first row),
 * and empties them on none.  HEAD matches GET.  The first row wins. */
void router_find(struct http_req *,
    bool (*get)(
	const void *table, int i, const char **method, const char **pattern),
    const void *table, struct route_match *out);

#endif
