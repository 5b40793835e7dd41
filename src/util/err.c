/*
 * Errors as values.  Texts are formatted beside their target and copied over
 * it, so that an error may be quoted in its own successor.
 */
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/banned.h"

/* The functions themselves, not what analysers see. */
#undef err_set
#undef err_set_kind
#undef err_prefix

static const char *const names[] = {
	[ERR_NONE] = "none",
	[ERR_MALFORMED] = "malformed",
	[ERR_UNKNOWN] = "unknown",
	[ERR_DENIED] = "denied",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_CONFLICT] = "conflict",
	[ERR_TOO_LARGE] = "too_large",
	[ERR_TYPE] = "type",
	[ERR_INVALID] = "invalid",
	[ERR_LIMIT] = "limit",
	[ERR_UPSTREAM] = "upstream",
	[ERR_TIMEOUT] = "timeout",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_GONE] = "gone",
	[ERR_CANCELLED] = "cancelled",
	[ERR_INTERNAL] = "internal",
};

static void __attribute__((format(printf, 2, 0)))
put_text(struct err *e, const char *fmt, va_list ap)
{
	char text[sizeof(e->text)];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	memcpy(e->text, text, sizeof(text));
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	put_text(e, fmt, ap);
	va_end(ap);
	e->code = code;
	e->kind = NULL;
	e->retry_after = 0;
	return -1;
}

int
err_set_kind(struct err *e, enum err_code code, const char *kind,
    int retry_after, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	put_text(e, fmt, ap);
	va_end(ap);
	e->code = code;
	e->kind = kind;
	e->retry_after = retry_after;
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	size_t n, old;
	int r;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	r = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r < 0)
		return -1;
	n = strlen(text);
	/* Join by hand: the texts may fill their arrays to the brim. */
	for (const char *p = ": "; *p != '\0' && n < sizeof(text) - 1; p++)
		text[n++] = *p;
	old = strnlen(e->text, sizeof(e->text) - 1);
	if (old > sizeof(text) - 1 - n)
		old = sizeof(text) - 1 - n;
	memcpy(text + n, e->text, old);
	text[n + old] = '\0';
	memcpy(e->text, text, n + old + 1);
	return -1;
}

const char *
err_name(enum err_code code)
{
	if ((size_t)code >= sizeof(names) / sizeof(names[0]))
		return "internal";
	return names[code];
}
