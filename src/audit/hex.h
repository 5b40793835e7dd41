/* Hexadecimal of a fixed length. */
#ifndef AUDIT_HEX_H
#define AUDIT_HEX_H

#include <stddef.h>

/* The ${n} bytes that ${s} stands for; 0, or -1 if it is anything else. */
int hex_bytes(const char *s, unsigned char *out, size_t n);

#endif
