/*
 * What switchboard doctor looks at, a function a subject.  Each writes rows:
 * what was looked at, how it is, what was seen and, where something is to be
 * done, what.
 */
#ifndef CLI_DOCTOR_EXAM_H
#define CLI_DOCTOR_EXAM_H

#include <jansson.h>
#include <stdbool.h>

struct cli;
struct conf;

struct exam {
	struct cli *c;
	const struct conf *conf;
	json_t *rows;
	int warnings, failures;
};

/* Printf into the column "detail". */
void exam_ok(struct exam *, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ${todo}: what the operator shall do about it. */
void exam_warn(struct exam *, const char *check, const char *todo,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void exam_fail(struct exam *, const char *check, const char *todo,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* host.c: what lies on this machine. */
void exam_files(struct exam *);
void exam_sockets(struct exam *);
void exam_limits(struct exam *);
void exam_dead_letters(struct exam *);
void exam_journals(struct exam *);
/* database.c */
void exam_database(struct exam *);
/* ways.c: a pooler and a standby, where there are any. */
void exam_ways(struct exam *);
/* mail.c */
void exam_mail(struct exam *);
/* outside.c: model providers, and the web server at ${url} (NULL: not asked
 * for). */
void exam_providers(struct exam *);
void exam_front(struct exam *, const char *url);

#endif
