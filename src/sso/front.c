/* Who has come, when the web server in front says it. */
#include "sso/front.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "crypto/hash.h"
#include "sso/arrive.h"
#include "sso/sso_priv.h"
#include "telemetry/log.h"
#include "util/auto.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define SECRET_LEAST 32
#define SECRET_MOST 256
#define SUBJECT_MAX 255
#define GROUPS_MAX 1000

/* --- the secret ----------------------------------------------------------- */

static int
bad_file(struct err *e, const char *file, const char *why)
{
	return err_set(
	    e, ERR_INVALID, "front_sso_secret_file: %s: %s", file, why);
}

/* The bytes of ${file}, at most ${max}; -1. */
static ssize_t
slurp(const char *file, char *to, size_t max, struct err *e)
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0)
		return bad_file(e, file, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return bad_file(e, file,
		    "others can read it, or it is no regular file; chmod 600");
	n = read(fd, to, max);
	return n >= 0 ? n : bad_file(e, file, strerror(errno));
}

int
front_read(const char *file, bool *has, unsigned char hash[32], struct err *e)
{
	char text[SECRET_MOST + 2];
	ssize_t got;
	size_t n, i = 0;

	*has = false;
	if (*file == '\0')
		return 0;
	got = slurp(file, text, sizeof(text), e);
	if (got < 0)
		return -1;
	n = (size_t)got;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	while (i < n && text[i] > ' ' && text[i] <= '~')
		i++;
	*has = i == n && n >= SECRET_LEAST && n <= SECRET_MOST;
	if (*has)
		crypto_sha256(text, n, hash);
	crypto_wipe(text, sizeof(text));
	return *has ? 0
	            : bad_file(e, file,
			  "it must hold 32 to 256 visible ASCII characters on "
			  "one line, and nothing else");
}

int
front_check(const char *file, struct err *e)
{
	unsigned char hash[32];
	bool has;
	int rc = front_read(file, &has, hash, e);

	crypto_wipe(hash, sizeof(hash));
	return rc;
}

bool
sso_has_front(const struct sso *s)
{
	return s->has_front;
}

/* Hashes are compared, so that not even the length shows. */
bool
sso_front_trusted(const struct sso *s, const char *secret)
{
	unsigned char hash[32];

	if (!s->has_front || secret == NULL)
		return false;
	crypto_sha256(secret, strlen(secret), hash);
	return str_eq_const(hash, s->front_hash, sizeof(hash));
}

/* --- who it is ------------------------------------------------------------ */

static int
deny(struct err *e, const char *why)
{
	return err_set(e, ERR_DENIED, "%s", why);
}

/* What we keep for good: characters, and none that does not show. */
static bool
is_name(const char *s, size_t max)
{
	size_t n = s != NULL ? strlen(s) : 0;

	if (n == 0 || n > max || !str_utf8_valid(s, n))
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* The parts of a list with commas, without the blanks around them. */
static json_t *
groups_of(const char *s)
{
	json_t *out = json_array();

	while (s != NULL && *s != '\0' && json_array_size(out) < GROUPS_MAX) {
		size_t n = strcspn(s, ","), from = strspn(s, " "), to = n;

		while (to > from && s[to - 1] == ' ')
			to--;
		if (to > from) /* bad UTF-8 adds nothing */
			json_array_append_new(
			    out, json_stringn(s + from, to - from));
		s += n + (s[n] == ',' ? 1 : 0);
	}
	return out;
}

/* The same as a provider's ID token would say it. */
static json_t *
claims_of(const struct sso_front *f)
{
	json_t *claims = json_pack("{s:o}", "groups", groups_of(f->groups));
	const char *v = f->verified;

	if (f->email != NULL)
		json_object_set_new(claims, "email", json_string(f->email));
	if (f->name != NULL)
		json_object_set_new(claims, "name", json_string(f->name));
	if (v != NULL)
		json_object_set_new(claims, "email_verified",
		    json_boolean(strcmp(v, "true") == 0 ||
				 strcmp(v, "True") == 0 ||
				 strcmp(v, "1") == 0));
	return claims;
}

static int
check(const struct sso_connection *c, const struct sso_front *f, struct err *e)
{
	if (!is_name(f->issuer, 500) || strcmp(f->issuer, c->issuer) != 0)
		return deny(e,
		    "The web server signs people in by another issuer than the "
		    "account's.");
	if (!is_name(f->subject, SUBJECT_MAX))
		return deny(e,
		    "The web server does not say who this is: the subject is "
		    "missing, too long or no text.");
	return 0;
}

int
sso_front_arrive(struct sso *s, const struct uuid *account,
    const struct sso_front *f, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct sso_arrival *out, struct err *e)
{
	json_auto_t *claims = NULL;
	struct sso_connection c;
	int rc;

	memset(out, 0, sizeof(*out));
	if (sso_active(s, account, true, deadline, ctx, &c, e) != 0)
		return -1;
	claims = claims_of(f);
	rc = check(&c, f, e);
	if (rc == 0)
		rc = arrive(
		    s, &c, f->subject, claims, who, deadline, ctx, out, e);
	if (rc != 0 && e->code == ERR_DENIED)
		log_event(LOG_WARN, "sso_refused", "issuer", c.issuer, "error",
		    e->text, NULL);
	out->account = *account;
	out->issuer = c.issuer;
	out->subject = f->subject;
	sso_connection_free(&c);
	return rc;
}
