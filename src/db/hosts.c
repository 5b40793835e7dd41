/*
 * Several hosts in one connection string.  libpq goes through them itself, but
 * in the asynchronous calls that we use it keeps no time limit for each: one
 * that takes the connection and then says nothing would use up the whole
 * deadline, and the next would never be asked.  So each is tried on its own,
 * with its share of the time, beginning with the one that answered last.
 */
#include <string.h>

#include "db/conn_priv.h"

#include "util/mem.h"

#include "util/banned.h"

static const char *
option(const PQconninfoOption *list, const char *keyword)
{
	for (; list != NULL && list->keyword != NULL; list++)
		if (!strcmp(list->keyword, keyword))
			return list->val;
	return NULL;
}

static int
items(const char *list)
{
	int n = 1;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* Every item of ${list} says something (NULL says nothing, in one voice). */
static bool
whole(const char *list)
{
	return list == NULL ||
	       (*list != '\0' && *list != ',' && strstr(list, ",,") == NULL &&
		   list[strlen(list) - 1] != ',');
}

/* Item ${i} of ${list}; a list of one holds for all hosts. */
static const char *
item(const void *ctx, const char *list, int i)
{
	if (list == NULL)
		return NULL;
	if (items(list) == 1)
		i = 0;
	for (; i > 0; i--)
		list = strchr(list, ',') + 1;
	return mem_strndup(ctx, list, strcspn(list, ","));
}

void
hosts_split(const char *conninfo, const void *ctx, struct hosts *h)
{
	PQconninfoOption *list = PQconninfoParse(conninfo, NULL);
	const char *host = option(list, "host"), *port = option(list, "port");
	const char *addr = option(list, "hostaddr");
	const char *attrs = option(list, "target_session_attrs");
	int i, n = items(addr != NULL ? addr : host);

	h->n = 0;
	/* Which of them prefer-standby wants depends on all of them; and what
	 * does not fit together libpq refuses, in its own words. */
	if (n > 1 && n <= HOSTS_MAX && whole(host) && whole(addr) &&
	    whole(port) &&
	    (attrs == NULL || strcmp(attrs, "prefer-standby") != 0) &&
	    (addr == NULL || host == NULL || items(host) == n) &&
	    (items(port) == 1 || items(port) == n)) {
		h->n = n;
		for (i = 0; i < n; i++) {
			h->host[i] = item(ctx, host, i);
			h->addr[i] = item(ctx, addr, i);
			h->port[i] = item(ctx, port, i);
		}
	}
	PQconninfoFree(list);
}
