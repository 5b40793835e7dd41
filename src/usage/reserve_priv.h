/*
 * What is reserved by turns that run, in the slot of the process that runs
 * them, so that the master can give them back when it dies: a sparse array of
 * places for each process.
 *
 * A place is claimed, filled and published in this order by one thread, and
 * read by the master only after the process has ended; so whatever instruction
 * it died at, a place is either whole or none.
 */
#ifndef USAGE_RESERVE_PRIV_H
#define USAGE_RESERVE_PRIV_H

#include <stdint.h>

/* What is noted: ticks of the tokens of an agent's slot (quota.c); amounts of
 * an entry of the ledger (budget.c). */
enum reserve_book { RESERVE_TOKENS, RESERVE_BUDGETS, RESERVE_BOOKS };

/* In the master, before the fork. */
void reserve_map(enum reserve_book);
/* Note ${amount} taken from ${slot}: a place for reserve_clear(), 0 when there
 * is none (it is then not given back) or outside of a server process. */
unsigned reserve_note(enum reserve_book, uint32_t slot, int64_t amount);
void reserve_clear(enum reserve_book, unsigned place); /* 0 does nothing */
/* In the master: calls back with what process ${slot} left, and frees it. */
void reserve_reap(enum reserve_book, unsigned slot,
    void (*left)(uint32_t slot, int64_t amount));

#endif
