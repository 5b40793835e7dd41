/* How many database connections the calling thread holds; SB_DEBUG only. */
#include "util/hold.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/banned.h"

#ifdef SB_DEBUG
static _Thread_local int held;

void
hold_enter(void)
{
	held++;
}

void
hold_leave(void)
{
	if (held-- <= 0) {
		fputs("switchboard: a connection given back twice\n", stderr);
		abort();
	}
}

void
hold_assert_none(void)
{
	if (held != 0) {
		fputs("switchboard: waiting outside with a database "
		      "connection held\n",
		    stderr);
		abort();
	}
}
#else
/* ISO C wants something in each translation unit. */
extern int hold_nothing;
#endif
