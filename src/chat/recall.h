/*
 * What a process remembers of sessions, so that PostgreSQL need not look for
 * them in every month: what never changes of one (its key and whose widget made
 * it), and what a caller's name meant last, which is a hint and has to be
 * confirmed.  Two tables of fixed size; what falls into a taken place takes it.
 * Any thread; NULL remembers nothing.
 */
#ifndef CHAT_RECALL_H
#define CHAT_RECALL_H

#include <stdbool.h>

#include "util/id.h"

struct recall;

#define RECALL_KEY 132 /* a session key, with its NUL */

struct recall_session {
	char key[RECALL_KEY];
	struct uuid widget;  /* nil: made by no widget */
	struct uuid visitor; /* nil: nobody is named */
};

struct recall *recall_new(void);
void recall_free(struct recall *);

bool recall_session(struct recall *, const struct uuid *account,
    const struct uuid *session, struct recall_session *out);
void recall_keep_session(struct recall *, const struct uuid *account,
    const struct uuid *session, const struct recall_session *);

bool recall_name(struct recall *, const struct uuid *account, const char *name,
    struct uuid *session);
void recall_keep_name(struct recall *, const struct uuid *account,
    const char *name, const struct uuid *session);

#endif
