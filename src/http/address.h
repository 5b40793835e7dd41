/* Internet addresses as text: who the client is, and which networks. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* IPv4 as ::ffff:a.b.c.d, so that both spellings are one address. */
struct address {
	unsigned char b[16];
};

/* "192.0.2.1", "2001:db8::1", also "[2001:db8::1]:80" and "192.0.2.1:80" as
 * proxies write them; no names.  False: not an address. */
bool address_parse(const char *s, size_t n, struct address *out);
#define ADDRESS_TEXT 46
/* The usual spelling; IPv4 where it is one. */
void address_format(const struct address *, char out[ADDRESS_TEXT]);
/*
 * What counts as one client where limits go by address: ${text} as it is for
 * IPv4 and for what is no address, the first 64 bits for IPv6, since one
 * subscriber has them all to himself.
 */
#define ADDRESS_CLIENT_TEXT (ADDRESS_TEXT + 4)
void address_client(const char *text, char out[ADDRESS_CLIENT_TEXT]);

#endif
