/*
 * What our mails say: text files, whose first line is "Subject: ..." and whose
 * text begins after an empty line, with {{placeholders}}.
 */
#ifndef MAIL_TEMPLATE_H
#define MAIL_TEMPLATE_H

#include "util/err.h"

struct mail_value {
	const char *name, *value; /* {{name}} */
};

/*
 * Fill ${text} in.  A value stands for itself: nothing in it is a placeholder,
 * and a line break or another control character becomes a space, so that who
 * chooses a name writes no line of the mail.  0 with *subject and *body below
 * ctx, or -1: no subject, a placeholder without a value or without an end, a
 * value that the template does not use (each one says something).
 * values end with a NULL name.
 */
int mail_fill(const void *ctx, const char *text,
    const struct mail_value *values, char **subject, char **body,
    struct err *e);

/* The same of the file ${dir}/${name}.txt, of at most 64 KiB. */
int mail_template(const void *ctx, const char *dir, const char *name,
    const struct mail_value *values, char **subject, char **body,
    struct err *e);

#endif
