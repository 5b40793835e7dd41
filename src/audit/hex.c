/* Hexadecimal of a fixed length. */
#include "audit/hex.h"

#include <string.h>

#include "util/str.h"

#include "util/banned.h"

int
hex_bytes(const char *s, unsigned char *out, size_t n)
{
	if (s == NULL || strnlen(s, 2 * n + 1) != 2 * n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int high = str_hex_digit(s[2 * i]),
		    low = str_hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}
