/* The encodings of mail. */
#ifndef MAIL_MIME_PRIV_H
#define MAIL_MIME_PRIV_H

#include "util/buf.h"

/* Valid UTF-8 without controls as it may stand in a header after ${column}
 * characters: as it is, or in encoded words (RFC 2047), folded. */
void mime_header(struct buf *b, const char *s, size_t column);
/* Text as quoted-printable (RFC 2045, 6.7); "\n" ends a line. */
void mime_quoted_printable(struct buf *b, const char *s);

#endif
