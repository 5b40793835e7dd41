/* Tables as CSV (RFC 4180): CRLF line ends, a head line, quotes where needed.
 */
#ifndef UTIL_CSV_H
#define UTIL_CSV_H

#include <jansson.h>

#include "util/buf.h"

/*
 * One cell.  Text that a spreadsheet would take for a formula (it begins with
 * = + - @, a tab or a carriage return) gets a ' in front, as OWASP advises, and
 * so does nothing when the file is opened.
 */
void csv_text(struct buf *, const char *text);
/*
 * The head and one line for each object of ${rows}: the members ${keys} (ends
 * with NULL).  Numbers stand as they are, what is absent or null is empty.
 */
void csv_table(struct buf *, const json_t *rows, const char *const *keys);

#endif
