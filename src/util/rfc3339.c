/* Field by field: strptime() takes blanks, signs and fields that are short. */
#include "util/rfc3339.h"

#include <stdbool.h>
#include <time.h>

#include "util/banned.h"

/* Digits of a fixed count. */
static bool
digits(const char **s, int n, int least, int most, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return false;
		v = v * 10 + ((*s)[i] - '0');
	}
	*s += n;
	*out = v;
	return v >= least && v <= most;
}

static bool
literal(const char **s, char a, char b)
{
	if (**s != a && **s != b)
		return false;
	(*s)++;
	return true;
}

static bool
read_fraction(const char **s, int64_t *us)
{
	int64_t unit = 100000;

	*us = 0;
	if (**s != '.')
		return true;
	(*s)++;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		*us += (**s - '0') * unit;
	return true;
}

static bool
read_zone(const char **s, int *minutes)
{
	int sign = **s == '-' ? -1 : 1, h, m;

	*minutes = 0;
	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		return true;
	}
	if (!literal(s, '+', '-') || !digits(s, 2, 0, 23, &h) ||
	    !literal(s, ':', ':') || !digits(s, 2, 0, 59, &m))
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

int
rfc3339_read(const char *text, int64_t *us)
{
	const char *s = text;
	struct tm tm = { 0 }, back;
	int64_t fraction;
	int zone;
	time_t t;

	if (!digits(&s, 4, 1970, 9999, &tm.tm_year) || !literal(&s, '-', '-') ||
	    !digits(&s, 2, 1, 12, &tm.tm_mon) || !literal(&s, '-', '-') ||
	    !digits(&s, 2, 1, 31, &tm.tm_mday) || !literal(&s, 'T', 't') ||
	    !digits(&s, 2, 0, 23, &tm.tm_hour) || !literal(&s, ':', ':') ||
	    !digits(&s, 2, 0, 59, &tm.tm_min) || !literal(&s, ':', ':') ||
	    !digits(&s, 2, 0, 59, &tm.tm_sec) ||
	    !read_fraction(&s, &fraction) || !read_zone(&s, &zone) ||
	    *s != '\0')
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	back = tm;
	t = timegm(&back);
	if (back.tm_mday != tm.tm_mday) /* the 31st of June */
		return -1;
	*us = ((int64_t)t - (int64_t)zone * 60) * 1000000 + fraction;
	return 0;
}
