/* The knowledge domain's SQL. */
#ifndef KNOWLEDGE_STORE_H
#define KNOWLEDGE_STORE_H

#include "db/db.h"

/* Both return kind, id, title, url, text, score. */
extern const struct db_stmt knowledge_stmt_search;   /* $1 agent, $2 words,
                                                        $3 limit, $4 kind or
                                                        null */
extern const struct db_stmt knowledge_stmt_overview; /* $1 account, $2 agent,
                                                        $3 limit, $4 kind */
/* (account) -> has it neither products nor chunks of documents? */
extern const struct db_stmt knowledge_stmt_nothing;

#endif
