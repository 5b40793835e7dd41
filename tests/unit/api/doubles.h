/*
 * In place of the guard, the chat handlers and the accounts: the tests of this
 * folder ask what app.c does around them.
 */
#ifndef TESTS_API_DOUBLES_H
#define TESTS_API_DOUBLES_H

#include <stdbool.h>

#include "account/account.h"
#include "api/app.h"
#include "util/err.h"

struct doubles {
	bool form_refused; /* a page's form brings no token */
	/* guard */
	struct err guard_error; /* code set: refuse */
	const char *guard_origin;
	bool guard_account;
	int guard_calls, guard_done_calls;
	/* handlers */
	int handled; /* calls of api_chat and the others together */
	const char *last;
	enum { ACT_OK, ACT_NOTHING, ACT_GONE, ACT_STREAM } act;
	/* accounts */
	struct err accounts_error;
	struct account account; /* of the slug "acme" */
	int refs;
};

extern struct doubles doubles;

/* Everything as it is at the start: guard lets pass, "acme" is active and
 * has the origins https://a.example and http://localhost:*. */
void doubles_reset(void);

#endif
