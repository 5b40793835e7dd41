/* W3C Trace Context, level 1: https://www.w3.org/TR/trace-context/ */
#include "telemetry/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/id.h"
#include "util/str.h"

#include "util/banned.h"

#define FLAG_SAMPLED 0x01
#define FLAG_RANDOM 0x02 /* level 2: the trace id's right part is random */

/* Lower-case hex at s[0..n), not all zero unless ${zero} is fine. */
static bool
is_hex(const char *s, size_t n, bool zero)
{
	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') ||
			(s[i] >= 'a' && s[i] <= 'f')))
			return false;
		if (s[i] != '0')
			zero = true;
	}
	return zero;
}

static unsigned char
hex_byte(const char *s)
{
	return (unsigned char)(str_hex_digit(s[0]) << 4 | str_hex_digit(s[1]));
}

/* "vv-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff" */
static bool
well_formed(const char *s)
{
	if (s == NULL || strnlen(s, 55) < 55 || s[2] != '-' || s[35] != '-' ||
	    s[52] != '-')
		return false;
	if (!is_hex(s, 2, true) || !is_hex(s + 3, 32, false) ||
	    !is_hex(s + 36, 16, false) || !is_hex(s + 53, 2, true))
		return false;
	/* ff is no version; 00 ends here; a later one may go on. */
	if (hex_byte(s) == 0xff)
		return false;
	return s[55] == '\0' || (hex_byte(s) != 0 && s[55] == '-');
}

/* Random bytes as hex, never all zero. */
static void
random_hex(size_t n, char *out)
{
	uint8_t b[16];

	do {
		id_random(b, n);
		str_hex(b, n, out);
	} while (!is_hex(out, 2 * n, false));
}

void
trace_start(struct trace *t, const char *traceparent)
{
	if (well_formed(traceparent)) {
		memcpy(t->trace_id, traceparent + 3, 32);
		t->trace_id[32] = '\0';
		memcpy(t->parent_id, traceparent + 36, 16);
		t->parent_id[16] = '\0';
		t->flags =
		    hex_byte(traceparent + 53) & (FLAG_SAMPLED | FLAG_RANDOM);
	} else {
		random_hex(16, t->trace_id);
		t->parent_id[0] = '\0';
		t->flags = FLAG_SAMPLED | FLAG_RANDOM;
	}
	random_hex(8, t->span_id);
}

void
trace_parent(const struct trace *t, char out[TRACE_PARENT_SIZE])
{
	(void)snprintf(out, TRACE_PARENT_SIZE, "00-%.32s-%.16s-%02x",
	    t->trace_id, t->span_id, t->flags);
}
