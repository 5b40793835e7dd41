/* One message to one mail server. */
#include "net/smtp.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

#include "util/banned.h"

#define DEADLINE_MS 60000
#define BEHIND_MS 3000
#define CONNECT_MS 10000L
#define LINE_MAX_ 120

struct sending {
	const struct smtp_call *c;
	int64_t deadline;
	size_t sent;
	int fd;               /* -1: no connection yet */
	bool late;            /* the deadline has ended it */
	char line[LINE_MAX_]; /* the server's last complaint */
};

/* --- the address ------------------------------------------------------------
 */

static bool
is_loopback(const char *host)
{
	unsigned char v4[4], v6[16];
	static const unsigned char one[16] = { [15] = 1 };
	char bare[64];
	size_t n = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, v4) == 1)
		return v4[0] == 127;
	if (n < 3 || n >= sizeof(bare) || host[0] != '[')
		return false;
	memcpy(bare, host + 1, n - 2);
	bare[n - 2] = '\0';
	return inet_pton(AF_INET6, bare, v6) == 1 &&
	       memcmp(v6, one, sizeof(one)) == 0;
}

static bool
part_is(CURLU *u, CURLUPart part, const char *what)
{
	char *s = NULL;
	bool same = curl_url_get(u, part, &s, 0) == CURLUE_OK &&
	            strcasecmp(s, what) == 0;

	curl_free(s);
	return same;
}

static bool
part_there(CURLU *u, CURLUPart part)
{
	char *s = NULL;
	bool there = curl_url_get(u, part, &s, 0) == CURLUE_OK && *s != '\0';

	curl_free(s);
	return there;
}

static const char *
url_fault(CURLU *u, const char *url)
{
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) !=
	    CURLUE_OK)
		return "is no URL";
	if (!part_is(u, CURLUPART_SCHEME, "smtp") &&
	    !part_is(u, CURLUPART_SCHEME, "smtps"))
		return "is neither smtp:// nor smtps://";
	if (part_there(u, CURLUPART_USER) || part_there(u, CURLUPART_PASSWORD))
		return "has a user in it: use mail_user and "
		       "mail_password_file";
	if (part_there(u, CURLUPART_QUERY) || part_there(u, CURLUPART_FRAGMENT))
		return "has a query or a fragment";
	return NULL;
}

int
smtp_check_url(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	const char *fault = u != NULL ? url_fault(u, url) : "met no memory";

	curl_url_cleanup(u);
	if (fault == NULL)
		return 0;
	return err_set(e, ERR_INVALID, "the mail server's address %s", fault);
}

/* Must there be TLS?  An address that cannot be read wants it. */
static bool
wants_tls(const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL;
	bool tls = true;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		tls = !is_loopback(host);
	curl_free(host);
	curl_url_cleanup(u);
	return tls;
}

/* --- libcurl's callbacks -----------------------------------------------------
 */

static size_t
on_read(char *p, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;
	size_t left = s->c->len - s->sent;

	n *= size;
	if (n > left)
		n = left;
	memcpy(p, s->c->message + s->sent, n);
	s->sent += n;
	return n;
}

/* Each line that the server says; to the QUIT after a failure it says yes. */
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;
	size_t k = 0;

	n *= size;
	if (n == 0 || (p[0] != '4' && p[0] != '5'))
		return n;
	for (size_t i = 0; i < n && k + 1 < sizeof(s->line); i++)
		if (p[i] >= ' ' && p[i] <= '~')
			s->line[k++] = p[i];
	s->line[k] = '\0';
	return n;
}

static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct sending *s = arg;

	(void)purpose;
	s->fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return s->fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct sending *s = arg;

	if (s->fd == fd)
		s->fd = -1;
	return close(fd);
}

/*
 * Called at least once a second.  To end a call is not enough: libcurl would
 * then say QUIT and wait for the answer of a server that gives none.
 */
static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct sending *s = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	s->late = clock_mono() >= s->deadline;
	if (!s->late && (s->c->stop == NULL || !atomic_load(s->c->stop)))
		return 0;
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_RDWR);
	return 1;
}

int
smtp_setup(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* TLS writes to peers that are gone. */
	sigaction(SIGPIPE, &ignore, NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return 0;
	return err_set(e, ERR_INTERNAL, "libcurl could not be initialised");
}

/* --- one call ----------------------------------------------------------------
 */

/* ${to} NULL: there is no message. */
static int
prepare(CURL *h, struct sending *s, struct curl_slist *to,
    struct curl_slist *via, const char *from)
{
	const struct smtp_call *c = s->c;
	/* Behind our own deadline, if that should not be looked at. */
	long ms = clock_left_ms(s->deadline, 3600000) + BEHIND_MS;
	int bad = 0;

#define SET(opt, value) bad |= curl_easy_setopt(h, opt, value) != CURLE_OK
	SET(CURLOPT_URL, c->url);
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_USE_SSL,
	    wants_tls(c->url) ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca_file != NULL)
		SET(CURLOPT_CAINFO, c->ca_file);
	if (via != NULL)
		SET(CURLOPT_CONNECT_TO, via);
	if (c->user != NULL && *c->user != '\0') {
		SET(CURLOPT_USERNAME, c->user);
		SET(CURLOPT_PASSWORD, c->password != NULL ? c->password : "");
	}
	if (to != NULL) {
		SET(CURLOPT_MAIL_FROM, from);
		SET(CURLOPT_MAIL_RCPT, to);
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_READFUNCTION, on_read);
		SET(CURLOPT_READDATA, s);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->len);
	} else {
		SET(CURLOPT_CUSTOMREQUEST, "NOOP");
		SET(CURLOPT_NOBODY, 1L);
	}
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, s);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, s);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, s);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, s);
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, ms);
	SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, ms / 1000 + 1);
#undef SET
	return bad ? -1 : 0;
}

static enum smtp_end
result(CURL *h, CURLcode rc, struct sending *s, struct err *e)
{
	long code = 0;

	if (rc == CURLE_OK)
		return SMTP_SENT;
	(void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
	/* What it says of the login (530 to 538) or of TLS may change. */
	if (code >= 500 && code <= 599 && code / 10 != 53 &&
	    (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR ||
		rc == CURLE_WEIRD_SERVER_REPLY || rc == CURLE_QUOTE_ERROR ||
		rc == CURLE_UPLOAD_FAILED)) {
		err_set(
		    e, ERR_UPSTREAM, "the mail server refused it: %s", s->line);
		return SMTP_NEVER;
	}
	if (rc == CURLE_OPERATION_TIMEDOUT)
		s->late = true;
	err_set(e, s->late ? ERR_TIMEOUT : ERR_UPSTREAM,
	    "the mail server: %s%s%s",
	    s->late ? "no end within the time limit" : curl_easy_strerror(rc),
	    s->line[0] != '\0' ? ": " : "", s->line);
	return SMTP_LATER;
}

/* One conversation; ${to} NULL: without a message. */
static enum smtp_end
converse(const struct smtp_call *c, const char *from, const char *to_text,
    struct err *e)
{
	struct sending s = { .c = c, .fd = -1, .deadline = c->deadline };
	CURL *h = curl_easy_init();
	struct curl_slist *to = NULL, *via = NULL;
	enum smtp_end end = SMTP_LATER;
	bool ready = h != NULL;

	if (s.deadline <= 0)
		s.deadline = clock_mono() + DEADLINE_MS * CLOCK_MS;
	if (to_text != NULL)
		ready &= (to = curl_slist_append(NULL, to_text)) != NULL;
	if (c->via != NULL)
		ready &= (via = curl_slist_append(NULL, c->via)) != NULL;
	if (!ready)
		err_set(e, ERR_UNAVAILABLE, "no memory for libcurl");
	else if (prepare(h, &s, to, via, from) == 0)
		end = result(h, curl_easy_perform(h), &s, e);
	else
		err_set(e, ERR_INTERNAL, "libcurl refused its options");
	curl_easy_cleanup(h);
	curl_slist_free_all(to);
	curl_slist_free_all(via);
	return end;
}

enum smtp_end
smtp_send(const struct smtp_call *c, struct err *e)
{
	char from[330], rcpt[330];

	snprintf(from, sizeof(from), "<%s>", c->from);
	snprintf(rcpt, sizeof(rcpt), "<%s>", c->to);
	return converse(c, from, rcpt, e);
}

int
smtp_look(const struct smtp_call *c, struct err *e)
{
	return converse(c, NULL, NULL, e) == SMTP_SENT ? 0 : -1;
}
