/*
 * The log's sink.  A line is put together on the stack and written with one
 * write(2) on a descriptor in append mode, so that lines of all threads and
 * processes stand whole.  LINE_MOST is what a pipe takes in one piece.
 */
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "telemetry/redact_priv.h"
#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

#define LINE_MOST 4096  /* PIPE_BUF */
#define VALUE_MOST 1024 /* of one value, redacted */
#define TAIL 48         /* room kept for "lost" and "cut" */

static _Atomic(int) log_fd = STDERR_FILENO;
static _Atomic(int) log_least = LOG_INFO;
static _Atomic(unsigned long) log_lost; /* lines that could not be written */
static char log_path[256];              /* "" for standard error */
static char log_role[64] = "switchboard";
static pid_t log_pid; /* as of log_process(); 0: not told */

static _Thread_local struct {
	const char *request_id, *trace_id, *account_id;
} context;

struct line {
	char data[LINE_MOST];
	size_t len;
	bool cut; /* something did not fit */
};

static int
open_file(const char *path, struct err *e)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return err_set(
		    e, ERR_INTERNAL, "cannot open the log %s: %m", path);
	return fd;
}

/* Put ${fd} in the place of the log's descriptor: a thread that is about to
 * write never meets a closed one. */
static void
replace_fd(int fd)
{
	int old = atomic_load(&log_fd);

	if (old == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return;
	}
	while (dup3(fd, old, O_CLOEXEC) < 0 && errno == EINTR)
		continue;
	(void)close(fd);
}

int
log_open(const char *path, enum log_level level, struct err *e)
{
	int fd, old;

	if (path == NULL || strcmp(path, "-") == 0) {
		old = atomic_exchange(&log_fd, STDERR_FILENO);
		if (old != STDERR_FILENO)
			(void)close(old);
		log_path[0] = '\0';
		atomic_store(&log_least, (int)level);
		return 0;
	}
	if (strlen(path) >= sizeof(log_path))
		return err_set(
		    e, ERR_INVALID, "the log's path is too long: %s", path);
	fd = open_file(path, e);
	if (fd < 0)
		return -1;
	replace_fd(fd);
	if (path != log_path)
		memcpy(log_path, path, strlen(path) + 1);
	atomic_store(&log_least, (int)level);
	return 0;
}

int
log_reopen(struct err *e)
{
	if (log_path[0] == '\0')
		return 0;
	return log_open(log_path, (enum log_level)atomic_load(&log_least), e);
}

void
log_process(const char *role)
{
	(void)snprintf(log_role, sizeof(log_role), "%s", role);
	log_pid = getpid();
}

void
log_context(
    const char *request_id, const char *trace_id, const char *account_id)
{
	context.request_id = request_id;
	context.trace_id = trace_id;
	context.account_id = account_id;
}

/* Append unless the tail would not fit any more. */
static bool
line_add(struct line *l, const char *s, size_t n)
{
	if (l->len + n > sizeof(l->data) - TAIL) {
		l->cut = true;
		return false;
	}
	memcpy(l->data + l->len, s, n);
	l->len += n;
	return true;
}

/* A character of a JSON string: an escape or UTF-8; *used bytes of s. */
static size_t
json_char(const char *s, size_t n, char out[8], size_t *used)
{
	static const char bad[] = "\xef\xbf\xbd"; /* U+FFFD */
	static const char map[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	unsigned char c = (unsigned char)*s;

	*used = 1;
	for (const char *m = map; *m != '\0'; m += 2) {
		if (*m == *s) {
			out[0] = '\\';
			out[1] = m[1];
			return 2;
		}
	}
	if (c < 0x20 || c == 0x7f) {
		(void)snprintf(out, 8, "\\u%04x", c);
		return 6;
	}
	*used = str_utf8_char(s, n);
	if (*used == 0) {
		*used = 1;
		memcpy(out, bad, sizeof(bad) - 1);
		return sizeof(bad) - 1;
	}
	memcpy(out, s, *used);
	return *used;
}

/* Bytes at the start of s[0..n) that stand for themselves in JSON. */
static size_t
plain_run(const char *s, size_t n)
{
	size_t i = 0;

	while (
	    i < n && s[i] >= ' ' && s[i] <= '~' && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

/* A string in quotes; what does not fit is left out, the quotes are not. */
static void
line_string(struct line *l, const char *s)
{
	size_t n = strlen(s), used, len;
	char out[8];

	/* The closing quote stands in the tail's room if it has to. */
	if (!line_add(l, "\"", 1))
		return;
	for (; n > 0; s += used, n -= used) {
		used = plain_run(s, n);
		if (used > 0 && l->len + used <= sizeof(l->data) - TAIL) {
			(void)line_add(l, s, used);
			continue;
		}
		len = json_char(s, n, out, &used);
		if (!line_add(l, out, len))
			break;
	}
	l->data[l->len++] = '"';
}

enum value { OURS, IDENT, FREE };

/*
 * Most values of a busy server's log are words like "POST" and small numbers.
 * No matcher of the redactor finds anything in a text that is all letters or
 * all digits and this short, so it need not be asked; redact_key() is another
 * matter, and always is.
 */
#define PLAIN_MOST 6

static bool
value_plain(const char *s)
{
	size_t letters = 0, digits = 0;

	for (; letters + digits <= PLAIN_MOST; s++) {
		if (*s == '\0')
			return letters == 0 || digits == 0;
		if (redact_is_alpha(*s))
			letters++;
		else if (redact_is_digit(*s))
			digits++;
		else
			return false;
	}
	return false;
}

/* ,"key":"value"; the pair stands whole, cut, or not at all. */
static void
line_pair(struct line *l, const char *key, const char *value, enum value kind)
{
	char clean[VALUE_MOST];
	size_t need = 6 * strlen(key) + 8; /* as if all were escaped */

	if (value == NULL)
		return;
	if (l->len + need > sizeof(l->data) - TAIL) {
		l->cut = true;
		return;
	}
	if (kind == FREE && redact_key(key)) {
		value = "[masked]";
	} else if (kind != OURS && !value_plain(value)) {
		redact_text(
		    value, strlen(value), clean, sizeof(clean), kind == FREE);
		value = clean;
	}
	if (l->len > 1)
		(void)line_add(l, ",", 1);
	line_string(l, key);
	(void)line_add(l, ":", 1);
	line_string(l, value);
}

static void
line_head(struct line *l, enum log_level level, const char *event)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char ts[CLOCK_RFC3339_SIZE];

	l->len = 0;
	l->cut = false;
	(void)line_add(l, "{", 1);
	clock_rfc3339(clock_wall_us(), ts);
	line_pair(l, "ts", ts, OURS);
	line_pair(l, "level", names[level], OURS);
	line_pair(l, "event", event, OURS);
	line_pair(l, "process", log_role, OURS);
	(void)line_add(l, ",\"pid\":", 7);
	l->len +=
	    str_from_int(log_pid != 0 ? log_pid : getpid(), l->data + l->len);
	line_pair(l, "request_id", context.request_id, IDENT);
	line_pair(l, "trace_id", context.trace_id, OURS);
	line_pair(l, "account_id", context.account_id, OURS);
}

static void
line_write(struct line *l)
{
	static const char cut[] = ",\"cut\":true";
	unsigned long lost = atomic_exchange(&log_lost, 0);
	size_t done = 0;
	ssize_t r;

	if (lost > 0)
		l->len += (size_t)snprintf(
		    l->data + l->len, TAIL, ",\"lost\":%lu", lost % 1000000000);
	if (l->cut) {
		memcpy(l->data + l->len, cut, sizeof(cut) - 1);
		l->len += sizeof(cut) - 1;
	}
	l->data[l->len++] = '}';
	l->data[l->len++] = '\n';
	do {
		r = write(atomic_load(&log_fd), l->data + done, l->len - done);
		done += r > 0 ? (size_t)r : 0;
	} while (r > 0 ? done < l->len : r < 0 && errno == EINTR);
	/* A full disk must not stop the server; the next line says it. */
	if (done < l->len)
		(void)atomic_fetch_add(&log_lost, lost + 1);
}

void
log_event(enum log_level level, const char *event, ...)
{
	int saved = errno;
	const char *key, *value;
	struct line l;
	va_list ap;

	if ((int)level < atomic_load(&log_least))
		return;
	line_head(&l, level, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		line_pair(&l, key, value, FREE);
	}
	va_end(ap);
	line_write(&l);
	errno = saved;
}

const char *
log_int(long long n)
{
	static _Thread_local char texts[8][STR_INT];
	static _Thread_local unsigned next;
	char *text = texts[next++ % 8];

	(void)str_from_int(n, text);
	return text;
}
