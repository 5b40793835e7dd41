/* Filling in what a mail says. */
#include "mail/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define FILE_MAX ((size_t)64 * 1024)
#define FILLED_MAX ((size_t)256 * 1024)
#define VALUES_MAX 32
#define SUBJECT "Subject: "

static void
add_value(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_addc(b, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
}

/* Which value s[0..n) names; -1: none. */
static int
value_named(const struct mail_value *values, const char *s, size_t n)
{
	for (int i = 0; i < VALUES_MAX && values[i].name != NULL; i++)
		if (strlen(values[i].name) == n &&
		    memcmp(values[i].name, s, n) == 0)
			return i;
	return -1;
}

static int
fill(struct buf *b, const char *s, const struct mail_value *values,
    uint32_t *used, struct err *e)
{
	const char *open, *close;
	int i;

	for (; (open = strstr(s, "{{")) != NULL; s = close + 2) {
		buf_add(b, s, (size_t)(open - s));
		open += 2;
		close = strstr(open, "}}");
		if (close == NULL)
			return err_set(
			    e, ERR_INVALID, "\"{{%.20s\" has no \"}}\"", open);
		i = value_named(values, open, (size_t)(close - open));
		if (i < 0)
			return err_set(e, ERR_INVALID,
			    "nothing stands for {{%.*s}}",
			    (int)(close - open < 40 ? close - open : 40), open);
		*used |= UINT32_C(1) << i;
		add_value(b, values[i].value);
	}
	buf_adds(b, s);
	return 0;
}

int
mail_fill(const void *ctx, const char *text, const struct mail_value *values,
    char **subject, char **body, struct err *e)
{
	const char *end = strchr(text, '\n');
	struct buf head, rest;
	uint32_t used = 0;
	char *line;

	*subject = *body = NULL;
	if (!str_starts(text, SUBJECT) || end == NULL || end[1] != '\n')
		return err_set(e, ERR_INVALID,
		    "the template does not begin with \"" SUBJECT
		    "...\" and an empty line");
	line = mem_strndup(ctx, text + strlen(SUBJECT),
	    (size_t)(end - text) - strlen(SUBJECT));
	buf_init(&head, ctx, FILLED_MAX);
	buf_init(&rest, ctx, FILLED_MAX);
	if (fill(&head, line, values, &used, e) != 0 ||
	    fill(&rest, end + 2, values, &used, e) != 0)
		return -1;
	for (int i = 0; values[i].name != NULL; i++)
		if (i >= VALUES_MAX || (used & UINT32_C(1) << i) == 0)
			return err_set(e, ERR_INVALID,
			    "the template does not say {{%s}}", values[i].name);
	if (buf_failed(&head) || buf_failed(&rest))
		return err_set(e, ERR_TOO_LARGE, "the mail is too long");
	*subject = head.data;
	*body = rest.data;
	return 0;
}

int
mail_template(const void *ctx, const char *dir, const char *name,
    const struct mail_value *values, char **subject, char **body, struct err *e)
{
	char *path = mem_printf(ctx, "%s/%s.txt", dir, name);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = mem_array(ctx, char, FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 0;

	*subject = *body = NULL;
	while (fd >= 0 && len < FILE_MAX &&
	       (n = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (fd < 0 || n < 0)
		return err_set(e, ERR_INTERNAL, "mail template %s: %s", path,
		    strerror(errno));
	if (len == FILE_MAX || memchr(text, '\0', len) != NULL)
		return err_set(e, ERR_INTERNAL,
		    "mail template %s: longer than %zu bytes, or no text", path,
		    FILE_MAX - 1);
	text[len] = '\0';
	if (mail_fill(ctx, text, values, subject, body, e) != 0)
		return err_prefix(e, "mail template %s", path);
	return 0;
}
