/* The head of an answer, line by line. */
#ifndef NET_HEAD_PRIV_H
#define NET_HEAD_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct net_reply;

struct head {
	size_t bytes;
	unsigned lines;
	int status; /* of the head that is being read */
	bool done;  /* a final (not 1xx) head is complete */
};

/* Take one line, with its line end; 0, or -1 when the head is too large. */
int head_line(struct head *, struct net_reply *, const char *line, size_t len);

#endif
