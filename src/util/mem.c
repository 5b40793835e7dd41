/*
 * talloc behind functions that never fail: a worker without memory cannot
 * serve anybody, so it says so and ends; the master starts another.  Trees are
 * used by one thread at a time, and talloc's null tracking stays off, so trees
 * share nothing.
 */
#include "util/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/banned.h"

_Noreturn static void
mem_stop(void)
{
	static const char msg[] = "switchboard: out of memory, stopping\n";

	/* Nothing that could allocate. */
	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		abort();
	abort();
}

static void *
must(void *p)
{
	if (p == NULL)
		mem_stop();
	return p;
}

void *
mem_zalloc(const void *ctx, size_t size, const char *name)
{
	void *p = must(talloc_named_const(ctx, size, name));

	memset(p, 0, size);
	return p;
}

void *
mem_zalloc_array(const void *ctx, size_t size, size_t n, const char *name)
{
	size_t bytes;

	if (__builtin_mul_overflow(size, n, &bytes))
		mem_stop();
	return mem_zalloc(ctx, bytes, name);
}

char *
mem_strndup(const void *ctx, const char *s, size_t n)
{
	size_t len;
	char *p;

	if (s == NULL)
		return NULL;
	len = strnlen(s, n);
	p = must(talloc_named_const(ctx, len + 1, "char"));
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *
mem_strdup(const void *ctx, const char *s)
{
	return mem_strndup(ctx, s, SIZE_MAX);
}

char *
mem_printf(const void *ctx, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = talloc_vasprintf(ctx, fmt, ap);
	va_end(ap);
	return must(s);
}

void *
mem_branch(const void *ctx, const char *name)
{
	return must(talloc_named_const(ctx, 0, name));
}

void *
mem_root(const char *name)
{
	return mem_branch(NULL, name);
}

void *
mem_malloc(size_t n)
{
	return must(malloc(n));
}

void
mem_free(void *ctx)
{
	if (ctx != NULL)
		talloc_free(ctx);
}
