/* Emptying the queue. */
#include "mail/sender.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/smtp.h"
#include "telemetry/log.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LAST_WORDS 2 /* s */
#define LOOK_EVERY_MS 500
#define RETRY_MOST_MS (10 * 60 * 1000)
#define FILE_MAX ((size_t)4 * 1024 * 1024)
#define PASSWORD_MAX 1024
/* What a writer that died has left. */
#define LEFTOVER_S 3600

struct mail_sender {
	const struct mail_conf *conf;
	pthread_t thread;
	atomic_bool stop;    /* begin no other message */
	atomic_bool give_up; /* nor go on with this one */
	pthread_mutex_t mu;
	pthread_cond_t cv;
};

/* --- files -------------------------------------------------------------------
 */

/* All of ${fd}, at most ${max}, with a NUL; NULL: it cannot be read. */
static char *
read_all(const void *ctx, int fd, size_t max, size_t *len)
{
	struct stat st;
	ssize_t n = 0;
	char *p;

	*len = 0;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < 0 ||
	    (size_t)st.st_size > max)
		return NULL;
	p = mem_array(ctx, char, (size_t)st.st_size + 1);
	while (*len < (size_t)st.st_size &&
	       (n = read(fd, p + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	return n < 0 ? NULL : p;
}

/* The password's file is read anew for each message, so that a change needs no
 * reload; NULL: it cannot be read. */
static const char *
password_of(const void *ctx, const struct mail_conf *c)
{
	auto_fd fd = -1;
	size_t len;
	char *p;

	if (*c->user == '\0')
		return "";
	fd = open(c->password_file, O_RDONLY | O_CLOEXEC);
	p = read_all(ctx, fd, PASSWORD_MAX, &len);
	if (p != NULL)
		p[strcspn(p, "\r\n")] = '\0';
	return p;
}

/* --- one message
 * -------------------------------------------------------------- */

static void
try_later(const struct mail_conf *c, int fd, int64_t age_ms)
{
	int64_t pause = age_ms < c->retry_ms ? c->retry_ms : age_ms;
	struct timespec at[2] = { { .tv_nsec = UTIME_OMIT }, { 0 } };

	if (pause > RETRY_MOST_MS)
		pause = RETRY_MOST_MS;
	/* The file's time says when it is due. */
	clock_gettime(CLOCK_REALTIME, &at[1]);
	at[1].tv_sec += pause / 1000;
	at[1].tv_nsec += pause % 1000 * 1000000;
	if (at[1].tv_nsec >= 1000000000) {
		at[1].tv_sec++;
		at[1].tv_nsec -= 1000000000;
	}
	(void)futimens(fd, at);
}

static enum smtp_end
hand_over(struct mail_sender *s, const void *ctx, char *text, size_t len,
    struct err *e)
{
	const struct mail_conf *c = s->conf;
	char *to = strchr(text, '\n'), *message;
	struct smtp_call call = { .url = c->url,
		.user = c->user,
		.password = password_of(ctx, c),
		.from = text,
		.deadline = clock_mono() + c->timeout_ms * CLOCK_MS,
		.stop = &s->give_up,
		.via = c->via,
		.ca_file = c->ca_file };

	message = to != NULL ? strchr(to + 1, '\n') : NULL;
	if (message == NULL) {
		err_set(e, ERR_INTERNAL, "it is no message of ours");
		return SMTP_NEVER;
	}
	*to++ = '\0';
	*message++ = '\0';
	call.to = to;
	call.message = message;
	call.len = len - (size_t)(message - text);
	if (!mail_address_ok(text) || !mail_address_ok(to)) {
		err_set(e, ERR_INTERNAL, "its addresses are none");
		return SMTP_NEVER;
	}
	if (call.password == NULL) {
		err_set(e, ERR_UNAVAILABLE,
		    "mail_password_file cannot be read: %s", strerror(errno));
		return SMTP_LATER;
	}
	return smtp_send(&call, e);
}

/* Tell, and take it out of the queue unless there is another try. */
static void
settle(struct mail_sender *s, int dir, const char *name, int fd,
    enum smtp_end end, int64_t age_ms, const struct err *e)
{
	const char *event = end == SMTP_SENT    ? "mail_sent"
	                    : end == SMTP_NEVER ? "mail_refused"
	                                        : "mail_given_up";
	bool last = end != SMTP_LATER || age_ms / 1000 >= s->conf->give_up_s;

	if (end == SMTP_LATER && atomic_load(&s->give_up))
		return; /* due at once, for who comes after us */
	if (last)
		unlinkat(dir, name, 0);
	else
		try_later(s->conf, fd, age_ms);
	log_event(end == SMTP_SENT ? LOG_INFO : LOG_WARN,
	    last ? event : "mail_delayed", "mail_id", name, "error",
	    end == SMTP_SENT ? NULL : e->text, NULL);
}

static bool
is_due(const struct stat *st)
{
	int64_t at =
	    (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;

	return st->st_nlink > 0 && at <= clock_wall_us();
}

static void
one(struct mail_sender *s, int dir, const char *name)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	void *ctx;
	struct err e = { 0 };
	enum smtp_end end = SMTP_NEVER;
	struct stat st;
	struct uuid id;
	size_t len = 0;
	int64_t age_ms;
	char *text;

	if (fd < 0 || id_parse(name, UUID_TEXT - 1, &id) != 0 ||
	    flock(fd, LOCK_EX | LOCK_NB) != 0)
		return; /* another's; he looks after it */
	if (fstat(fd, &st) != 0 || !is_due(&st))
		return;
	age_ms = clock_wall_us() / 1000 - id_time_ms(&id);
	ctx = mem_root("mail");
	text = read_all(ctx, fd, FILE_MAX, &len);
	if (text != NULL)
		end = hand_over(s, ctx, text, len, &e);
	else
		err_set(&e, ERR_INTERNAL, "it cannot be read");
	settle(s, dir, name, fd, end, age_ms, &e);
	mem_free(ctx);
}

/* --- all of them
 * -------------------------------------------------------------- */

static void
leftover(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtim.tv_sec + LEFTOVER_S < clock_wall_us() / 1000000)
		unlinkat(dir, name, 0);
}

static void
look(struct mail_sender *s)
{
	DIR *d = opendir(s->conf->queue_dir);
	struct dirent *entry;

	/* Before the first message there is none. */
	while (d != NULL && !atomic_load(&s->stop) &&
	       (entry = readdir(d)) != NULL) {
		if (str_starts(entry->d_name, ".tmp-"))
			leftover(dirfd(d), entry->d_name);
		else if (strlen(entry->d_name) == UUID_TEXT - 1 + 5 &&
			 strcmp(entry->d_name + UUID_TEXT - 1, ".mail") == 0)
			one(s, dirfd(d), entry->d_name);
	}
	if (d != NULL)
		closedir(d);
}

static void *
run(void *arg)
{
	struct mail_sender *s = arg;

	while (!atomic_load(&s->stop)) {
		struct timespec ts;
		int64_t at;

		look(s);
		at = clock_mono() + LOOK_EVERY_MS * CLOCK_MS;
		ts.tv_sec = (time_t)(at / CLOCK_S);
		ts.tv_nsec = (long)(at % CLOCK_S);
		pthread_mutex_lock(&s->mu);
		if (!atomic_load(&s->stop))
			pthread_cond_timedwait(&s->cv, &s->mu, &ts);
		pthread_mutex_unlock(&s->mu);
	}
	return NULL;
}

struct mail_sender *
mail_sender_start(const struct mail_conf *c, struct err *e)
{
	struct mail_sender *s;
	pthread_condattr_t attr;

	if (smtp_setup(e) != 0)
		return NULL;
	s = mem_new(NULL, struct mail_sender);
	s->conf = c;
	pthread_mutex_init(&s->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->cv, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&s->thread, NULL, run, s) == 0)
		return s;
	err_set(e, ERR_UNAVAILABLE, "no thread to send mail");
	mem_free(s);
	return NULL;
}

void
mail_sender_stop(struct mail_sender *s)
{
	struct timespec until;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->mu);
	atomic_store(&s->stop, true);
	pthread_cond_signal(&s->cv);
	pthread_mutex_unlock(&s->mu);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LAST_WORDS;
	if (pthread_timedjoin_np(s->thread, NULL, &until) != 0) {
		atomic_store(&s->give_up, true);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->cv);
	pthread_mutex_destroy(&s->mu);
	mem_free(s);
}
