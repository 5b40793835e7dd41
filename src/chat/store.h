/* The chat domain's SQL: the writer's statements and the reads. */
#ifndef CHAT_STORE_H
#define CHAT_STORE_H

#include "db/writer.h"

/* For writer_opts: the statements pieces of this program use. */
const struct writer_stmt *chat_store_stmts(int *n);

#endif
