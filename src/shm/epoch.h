/*
 * How new each account's configuration is: one counter an account slot, moved
 * by the listener, compared at each use of a cached entry.  Slot 0 is the
 * platform (tiers, prices).  An entry made from data of epoch N is good while
 * the slot is not above N.  What an account knows (products, documents) has a
 * counter of its own, so that an ingest does not make its configuration old.
 *
 * That nothing was raised means something only while somebody listens: a
 * second table says until when each slot is known to be what it is.
 */
#ifndef SHM_EPOCH_H
#define SHM_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

/* In the master, before the fork. */
void epoch_map(uint32_t max_slots);
uint32_t epoch_max_slots(void);
/* Raise ${slot} to at least ${epoch}; never lowers.  Any process. */
void epoch_raise(uint32_t slot, uint64_t epoch);
uint64_t epoch_get(uint32_t slot);
/* Is data of (slot, epoch) current, as far as anybody has heard? */
bool epoch_current(uint32_t slot, uint64_t epoch);
/*
 * A number that grows with every raise of any slot: what was not there when it
 * was read may be there once it has moved (account/absent.h).
 */
uint64_t epoch_moves(void);

/* The same of what an account knows. */
void epoch_knowledge_raise(uint32_t slot, uint64_t epoch);
uint64_t epoch_knowledge(uint32_t slot);
/* The account has nothing to search in, as of epoch ${epoch} of what it knows;
 * is that still so? */
void epoch_knowledge_none(uint32_t slot, uint64_t epoch);
bool epoch_knows_nothing(uint32_t slot);

/*
 * Times are clock_mono().  epoch_heard: all that was committed before ${at} has
 * been raised, of every slot; so the database answers.  epoch_checked: that of
 * one slot was read from the database then.  epoch_known: the later of both, 0
 * never; of a slot beyond the map it is what was heard.  Without a map (a
 * command of the operator, which lives shorter than any staleness) all is known
 * for ever.
 */
void epoch_heard(int64_t at);
void epoch_checked(uint32_t slot, int64_t at);
int64_t epoch_known(uint32_t slot);

/*
 * While the database does not answer, one caller of all processes asks it each
 * ${pause} ns.  epoch_may_ask: may this caller?  (It then says how it went with
 * epoch_asked.)
 */
bool epoch_may_ask(int64_t now, int64_t pause);
void epoch_asked(bool answered, int64_t now, int64_t pause);
bool epoch_away(void); /* the last one to ask got no answer */

#endif
