/*
 * Mail: lines 1 and 2 are recipient and subject, the rest is a text and a
 * template.  A message that is written has lines that end in CRLF, are not too
 * long, and exactly our headers.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/message.h"
#include "mail/template.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_message(const char *m, size_t len)
{
	static const char *const headers[] = { "From: ", "To: ", "Subject: ",
		"Date: ", "Message-ID: ", "MIME-Version: ", "Auto-Submitted: ",
		"Content-Type: ", "Content-Transfer-Encoding: " };
	size_t n = 0;

	if (strlen(m) != len)
		abort();
	for (const char *line = m, *end; *line != '\0'; line = end + 2) {
		end = strstr(line, "\r\n");
		if (end == NULL || memchr(line, '\n', (size_t)(end - line)) ||
		    (end - line > 78 && strncmp(line, "To: ", 4) != 0))
			abort();
		if (n > 9 || end == line) {
			n = 10; /* the text */
			continue;
		}
		if (*line == ' ')
			continue;
		if (n == 9 ||
		    strncmp(line, headers[n], strlen(headers[n])) != 0)
			abort();
		n++;
	}
	if (n != 10)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *ctx = mem_root("fuzz");
	char *all = mem_strndup(ctx, (const char *)data, size);
	char *subject = strchr(all, '\n'), *text = NULL, *out, *body;
	struct mail m = { .from = "Shop <noreply@shop.example>", .to = all };
	struct mail_value values[] = { { "name", all }, { NULL, NULL } };
	size_t len;

	if (subject != NULL)
		text = strchr(subject + 1, '\n');
	if (text != NULL) {
		*subject++ = '\0';
		*text++ = '\0';
		m.subject = subject;
		m.text = text;
		if (mail_message(ctx, &m, &out, &len, NULL) == 0)
			check_message(out, len);
		if (mail_fill(ctx, text, values, &out, &body, NULL) == 0 &&
		    strpbrk(out, "\r\n\t") != NULL &&
		    strpbrk(text, "\r\t") == NULL)
			abort();
	}
	(void)mail_address_of(ctx, all);
	mem_free(ctx);
	return 0;
}
