/*
 * The kernel shows the memory where it put argv and the environment: adjacent
 * strings on the first stack.  That whole area becomes the title.
 */
#include "daemon/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/mem.h"

#include "util/banned.h"

static struct {
	const char *name;
	char *value;
} providers[] = { { "OPENAI_API_KEY", NULL }, { "OPENAI_BASE_URL", NULL },
	{ "ANTHROPIC_API_KEY", NULL }, { "ANTHROPIC_BASE_URL", NULL },
	{ "SB_MASTER_KEY", NULL } };

#define NPROVIDERS (sizeof(providers) / sizeof(providers[0]))

static char *area;
static size_t area_size;

static void
area_find(int argc, char **argv)
{
	char *end = argc > 0 ? argv[0] : NULL;
	int i;

	area = end;
	for (i = 0; i < argc; i++)
		if (argv[i] == end)
			end = argv[i] + strlen(argv[i]) + 1;
	for (i = 0; environ[i] != NULL; i++)
		if (environ[i] == end)
			end = environ[i] + strlen(environ[i]) + 1;
	area_size = (size_t)(end - area);
}

static void
environ_move(void)
{
	/* Kept here too: unsetenv() may put another list in its place. */
	static char **list;
	int i, n;

	for (n = 0; environ[n] != NULL; n++)
		continue;
	list = mem_array(NULL, char *, (size_t)n + 1);
	for (i = 0; i < n; i++) {
		list[i] = mem_strdup(list, environ[i]);
		explicit_bzero(environ[i], strlen(environ[i]));
	}
	environ = list;
}

static void
providers_take(void)
{
	size_t i;
	char *v;

	for (i = 0; i < NPROVIDERS; i++) {
		v = getenv(providers[i].name);
		if (v == NULL)
			continue;
		if (*v != '\0')
			providers[i].value = mem_strdup(NULL, v);
		explicit_bzero(v, strlen(v));
		unsetenv(providers[i].name);
	}
}

void
title_setup(int argc, char **argv)
{
	area_find(argc, argv);
	environ_move();
	providers_take();
}

const char *
title_provider(const char *name)
{
	size_t i;

	for (i = 0; i < NPROVIDERS; i++)
		if (strcmp(providers[i].name, name) == 0)
			return providers[i].value;
	return NULL;
}

void
title_set(const char *what)
{
	if (area_size < 2)
		return;
	memset(area, 0, area_size);
	snprintf(area, area_size, "switchboardd: %s", what);
}
