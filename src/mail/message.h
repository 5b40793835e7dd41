/*
 * Messages as RFC 5322 has them, written by us: the bytes are the same whether
 * they go to a server or into a file.  (curl_mime would only make them while it
 * sends.)  Header injection is impossible: an address or a subject with a
 * control character is refused, and what is not ASCII is encoded.
 */
#ifndef MAIL_MESSAGE_H
#define MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

#define MAIL_ADDRESS_MAX 254
#define MAIL_SUBJECT_MAX 500
#define MAIL_BODY_MAX ((size_t)256 * 1024)

struct mail {
	const char *from; /* "noreply@shop.example" or "Shop <noreply@...>" */
	const char *to;   /* a bare address */
	const char *subject;
	const char *text; /* UTF-8, lines end in \n */
	const char *html; /* the same as HTML; NULL: none */
};

/*
 * The message with its headers, lines ending in CRLF, talloc'd below ctx.  0,
 * or -1 with ERR_INVALID and what is wrong.
 */
int mail_message(const void *ctx, const struct mail *, char **ret, size_t *len,
    struct err *e);

/*
 * Is ${s} an address that can be written to?  One @, ASCII, nothing that has to
 * be quoted; an international domain in its xn-- form.
 */
bool mail_address_ok(const char *s);

/* The address of "Name <address>" or of a bare one, talloc'd below ctx; NULL:
 * it is neither. */
char *mail_address_of(const void *ctx, const char *from);

#endif
