/*
 * Exports: JSON lines that prove themselves.  The first line says whose they
 * are and names the public keys, then come the entries in order, each
 * checkpoint behind its entry, and last a signed seal that says from where to
 * where the export reaches.  before and after are texts, as they were hashed.
 */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include <stdio.h>

#include "audit/sign.h"
#include "audit/walk.h"

/* Write the chain of ${account}, called ${slug}, to ${f}; what the chain has
 * now gets a checkpoint first.  The role is sb_admin.  *${n}: entries. */
int audit_export(struct db_pool *, struct vault *, const struct uuid *account,
    const char *slug, const struct audit_range *, FILE *f, int64_t *n,
    struct err *e);

/* What a verification has found; fault.seq 0 and a text: the file itself. */
struct audit_verdict {
	bool good;
	char slug[64];
	struct uuid account;
	int64_t entries, first, last, checkpoints;
	struct audit_key key; /* that the seal is signed with */
	struct chain_fault fault;
};

/*
 * Verify the export that ${f} has, which needs nothing else: with ${trusted}
 * (NULL: the keys that the file names) signatures must be that key's.  0 with
 * *${out}, also when it is not good; -1 when it cannot be read.
 */
int audit_verify_file(FILE *f, const unsigned char *trusted,
    struct audit_verdict *out, struct err *e);
/* The same of the chain in the database, with its stored checkpoints and its
 * end. */
int audit_verify_stored(struct db_pool *, const struct uuid *account,
    struct audit_verdict *out, struct err *e);

#endif
