/* The SQL of the OpenAI format. */
#ifndef API_OPENAI_STORE_OPENAI_H
#define API_OPENAI_STORE_OPENAI_H

#include "db/db.h"

/* account -> id, type and name of its active agents. */
extern const struct db_stmt openai_store_models;

#endif
