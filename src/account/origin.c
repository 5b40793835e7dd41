/* Origins: the form of an Origin header, and lists of allowed ones. */
#include "account/account.h"

#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "util/mem.h"

#include "util/banned.h"

#define ORIGIN_MAX 300

static bool
lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The host that ${p} starts with; where it ends, or NULL. */
static const char *
host_end(const char *p)
{
	const char *start = p;

	if (*p == '[') {
		p++;
		while (lower_or_digit(*p) || *p == ':' || *p == '.')
			p++;
		return *p == ']' && p - start > 2 ? p + 1 : NULL;
	}
	while (lower_or_digit(*p) || *p == '.' || *p == '-' || *p == '_')
		p++;
	return p > start ? p : NULL;
}

/*
 * Length of "scheme://host" at the start of ${s}, all lower-case; 0 when it
 * does not start so.  What follows is the port, if anything.
 */
static size_t
site_len(const char *s)
{
	const char *p = s;

	if (!(*p >= 'a' && *p <= 'z') ||
	    strnlen(s, ORIGIN_MAX + 1) > ORIGIN_MAX)
		return 0;
	while (lower_or_digit(*p) || *p == '+' || *p == '-' || *p == '.')
		p++;
	if (strncmp(p, "://", 3) != 0)
		return 0;
	p = host_end(p + 3);
	return p != NULL ? (size_t)(p - s) : 0;
}

/* "" or ":" and a port number. */
static bool
port_ok(const char *s)
{
	size_t n;

	if (*s == '\0')
		return true;
	if (*s++ != ':' || *s == '0')
		return false;
	n = strspn(s, "0123456789");
	if (n < 1 || n > 5 || s[n] != '\0')
		return false;
	return n < 5 || strcmp(s, "65535") <= 0;
}

bool
origin_entry_ok(const char *entry)
{
	size_t n = site_len(entry);

	return n > 0 && (port_ok(entry + n) || strcmp(entry + n, ":*") == 0);
}

bool
origin_allowed(const char *origin, char *const *list, int n)
{
	size_t len, site;

	/* "null" and everything else that names no site fails here. */
	if (origin == NULL || (site = site_len(origin)) == 0 ||
	    !port_ok(origin + site))
		return false;
	for (int i = 0; i < n; i++) {
		if (strcmp(list[i], origin) == 0)
			return true;
		len = strlen(list[i]);
		if (len == site + 2 && strcmp(list[i] + site, ":*") == 0 &&
		    memcmp(list[i], origin, site) == 0)
			return true;
	}
	return false;
}

char **
origin_list(const void *ctx, const char *json, int *n)
{
	json_auto_t *array = json_loads(json, 0, NULL);
	size_t size = json_array_size(array), i;
	char **list = mem_array(ctx, char *, size + 1);
	const json_t *v;

	*n = 0;
	json_array_foreach(array, i, v) if (json_is_string(v)) list[(*n)++] =
	    mem_strdup(list, json_string_value(v));
	return list;
}
