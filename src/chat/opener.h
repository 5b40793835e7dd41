/*
 * Turns that have run for a while are written down as running.  Most end
 * sooner; so a turn waits in a list, and one thread of the process looks at it
 * while there are any.
 */
#ifndef CHAT_OPENER_H
#define CHAT_OPENER_H

#include <stdbool.h>
#include <stdint.h>

/* A place in the list; the turn's own memory. */
struct opener_item {
	struct opener_item *next, *prev;
	int64_t due;
	void (*open)(struct opener_item *);
	bool listed, opened;
};

/*
 * Call item->open() once, from another thread, when the item still stands in
 * the list ${after_ms} from now (0: at once, in this thread).  The function
 * must not block and must not touch the opener.  Any thread, after the fork.
 */
void opener_add(struct opener_item *, int after_ms);
/* Take it out; true when it was opened.  Nothing runs for it afterwards.  An
 * item of zeroes was never added. */
bool opener_remove(struct opener_item *);

#endif
