/* The newest file of sql/ that this program was written for; a test compares
 * them. */
#ifndef DB_SCHEMA_VERSION_H
#define DB_SCHEMA_VERSION_H

#define SB_SCHEMA_VERSION 31

#endif
