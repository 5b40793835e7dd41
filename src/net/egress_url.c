/*
 * URLs that strangers type, read so that no two readers can disagree: what is
 * not plainly right is wrong.
 */
#include "net/egress.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/banned.h"

#define LABEL_MAX 63

static int
wrong(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "the address %s", what);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

/* A last label that begins like a number: some reader takes the whole for an
 * IPv4 address (WHATWG URL, "ends in a number"). */
static bool
is_number(const char *label)
{
	return is_digit(label[0]);
}

/* "a.b-c.example", lower case. */
static const char *
name_fault(const char *host)
{
	const char *last = host;
	size_t n = 0;

	for (const char *p = host;; p++) {
		if (*p == '.' || *p == '\0') {
			if (n == 0 || n > LABEL_MAX || p[-1] == '-')
				return "has a host with an empty, too long or "
				       "dangling label";
			if (*p == '\0')
				break;
			last = p + 1;
			n = 0;
			continue;
		}
		if (!is_letter(*p) && !is_digit(*p) && *p != '_' &&
		    (*p != '-' || n == 0))
			return "has a host with a character that stands in no "
			       "name (write international ones as xn--)";
		n++;
	}
	return is_number(last) ? "has a host that looks like a number: write "
	                         "an IPv4 address as four decimal ones"
	                       : NULL;
}

/* ${host} is IPv6 without its brackets. */
static const char *
write_v6(const char *host, struct egress_url *out)
{
	struct in6_addr a;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, host, &a) != 1 ||
	    inet_ntop(AF_INET6, &a, text, sizeof(text)) == NULL)
		return "has no IPv6 address in its brackets";
	snprintf(out->host, sizeof(out->host), "[%s]", text);
	return NULL;
}

/* host[0..n): as it stands between the slashes and the port. */
static const char *
read_host(const char *host, size_t n, struct egress_url *out)
{
	char text[EGRESS_HOST_MAX + 3];
	struct in_addr v4;

	if (n == 0)
		return "has no host";
	if (n > EGRESS_HOST_MAX + 1)
		return "has a host that is too long";
	for (size_t i = 0; i < n; i++)
		text[i] = host[i] >= 'A' && host[i] <= 'Z'
		              ? (char)(host[i] - 'A' + 'a')
		              : host[i];
	text[n] = '\0';
	if (text[0] == '[') {
		text[n - 1] = '\0'; /* the caller saw the bracket */
		return write_v6(text + 1, out);
	}
	if (n > 1 && text[n - 1] == '.')
		text[--n] = '\0';
	if (n > EGRESS_HOST_MAX)
		return "has a host that is too long";
	memcpy(out->host, text, n + 1);
	if (inet_pton(AF_INET, text, &v4) == 1)
		return NULL;
	return name_fault(text);
}

static const char *
read_port(const char *p, size_t n, struct egress_url *out)
{
	unsigned port = 0;

	for (size_t i = 0; i < n && i < 6; i++) {
		if (!is_digit(p[i]))
			return "has a port that is no number";
		port = port * 10 + (unsigned)(p[i] - '0');
	}
	if (n == 0 || n > 5 || p[0] == '0' || port > 65535)
		return "has a port that is not between 1 and 65535";
	snprintf(out->port, sizeof(out->port), "%u", port);
	return NULL;
}

/* "host:port" of s[0..n) */
static const char *
read_authority(const char *s, size_t n, struct egress_url *out)
{
	const char *colon, *close;
	size_t host = n;

	if (memchr(s, '@', n) != NULL)
		return "has a user or a password in it";
	if (n > 0 && s[0] == '[') {
		close = memchr(s, ']', n);
		if (close == NULL)
			return "has a bracket that does not close";
		host = (size_t)(close + 1 - s);
		if (host < n && s[host] != ':')
			return "has something between its host and port";
	} else if ((colon = memchr(s, ':', n)) != NULL)
		host = (size_t)(colon - s);
	snprintf(out->port, sizeof(out->port), "%s", out->tls ? "443" : "80");
	if (host < n) {
		const char *fault = read_port(s + host + 1, n - host - 1, out);

		if (fault != NULL)
			return fault;
	}
	return read_host(s, host, out);
}

static const char *
read_all(const char *url, struct egress_url *out)
{
	const char *rest;
	size_t n;
	bool usual;

	if (strlen(url) > EGRESS_URL_MAX)
		return "is longer than 2,048 characters";
	for (const char *p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("\\\"<>^`{|}#", *p) != NULL)
			return "has a character that may not stand in a URL "
			       "that is called (write it as %XX)";
	out->tls = strncasecmp(url, "https://", 8) == 0;
	if (!out->tls && strncasecmp(url, "http://", 7) != 0)
		return "begins neither with https:// nor with http://";
	url += out->tls ? 8 : 7;
	n = strcspn(url, "/?");
	rest = url + n;
	const char *fault = read_authority(url, n, out);
	if (fault != NULL)
		return fault;
	usual = strcmp(out->port, out->tls ? "443" : "80") == 0;
	snprintf(out->text, sizeof(out->text), "%s://%s%s%s%s%s",
	    out->tls ? "https" : "http", out->host, usual ? "" : ":",
	    usual ? "" : out->port, *rest == '/' ? "" : "/", rest);
	return NULL;
}

int
egress_parse(const char *url, struct egress_url *out, struct err *e)
{
	const char *fault;

	memset(out, 0, sizeof(*out));
	fault = read_all(url, out);
	if (fault == NULL)
		return 0;
	memset(out, 0, sizeof(*out));
	return wrong(e, fault);
}
