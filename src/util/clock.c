/* Time: monotonic for deadlines, wall for what people read. */
#include "util/clock.h"

#include <time.h>

#include "util/banned.h"

int64_t
clock_mono(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * CLOCK_S + ts.tv_nsec;
}

int64_t
clock_wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int
clock_left_ms(int64_t deadline, int cap)
{
	int64_t left, ms;

	if (deadline == 0)
		return cap;
	left = deadline - clock_mono();
	if (left <= 0)
		return 0;
	/* Rounded up, or the last part of a millisecond would be spun away. */
	ms = left / CLOCK_MS + (left % CLOCK_MS != 0);
	return ms < cap ? (int)ms : cap;
}

/* ${n} in as many digits, and what follows them: each request's line in the
 * log has a time, and printf takes ten times as long. */
static char *
digits(char *p, int n, int width, char then)
{
	for (int i = width - 1; i >= 0; i--, n /= 10)
		p[i] = (char)('0' + n % 10);
	p[width] = then;
	return p + width + 1;
}

void
clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_SIZE])
{
	int64_t ms = wall_us / 1000, sec;
	struct tm tm;
	time_t t;
	char *p = out;

	if (wall_us % 1000 < 0)
		ms--;
	sec = ms / 1000;
	if (ms % 1000 < 0)
		sec--;
	t = (time_t)sec;
	/* A year that does not fit four digits is no time of ours. */
	if (sec < INT64_C(-62167219200) || sec > INT64_C(253402300799) ||
	    gmtime_r(&t, &tm) == NULL)
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	p = digits(p, tm.tm_year + 1900, 4, '-');
	p = digits(p, tm.tm_mon + 1, 2, '-');
	p = digits(p, tm.tm_mday, 2, 'T');
	p = digits(p, tm.tm_hour, 2, ':');
	p = digits(p, tm.tm_min, 2, ':');
	p = digits(p, tm.tm_sec, 2, '.');
	p = digits(p, (int)(ms - sec * 1000), 3, 'Z');
	*p = '\0';
}
