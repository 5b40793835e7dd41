/*
 * Journals: where finished pieces lie, synced, while the database does not take
 * them.  A directory holds the journals of all writers of a host, each file
 * locked by the process that writes or replays it; a file that nobody has
 * locked was left by one that is dead.  Who locks it replays it, in order, each
 * batch under the id it had, so that nothing is stored twice.
 */
#ifndef DB_JOURNAL_H
#define DB_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "db/writer.h"

/* What lies in a directory of journals. */
struct journal_state {
	unsigned files;
	int64_t bytes;
	int64_t oldest_us; /* since 1970, the oldest file's start; 0 none */
	unsigned damaged;  /* files kept because a part could not be read */
};

/* 0, or -1 with e.  A directory that is not there is empty. */
int journal_look(const char *dir, struct journal_state *ret, struct err *e);

/* Replays what dead processes left. */
struct replayer;

/*
 * Starts a thread that looks into o->journal_dir every second and replays what
 * nobody has locked, except what is a living worker's to replay: ${owned} says
 * so of a slot.  For the process that has no writer of its own.
 */
struct replayer *replayer_new(
    const struct writer_opts *o, bool (*owned)(unsigned slot));
/* Ends the thread, at once if the database does not answer: what has not been
 * replayed stays. */
void replayer_free(struct replayer *);

#endif
