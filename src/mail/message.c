/* A whole message. */
#include "mail/message.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "mail/mime_priv.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LOCAL_MAX 64
#define NAME_MAX_ 100
#define MESSAGE_MAX (4 * MAIL_BODY_MAX)

/* --- addresses ---------------------------------------------------------------
 */

static bool
local_ok(const char *s, size_t n)
{
	if (n == 0 || n > LOCAL_MAX || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '.' && s[i + 1] == '.')
			return false;
		if (c >= 0x80 ||
		    (!isalnum(c) && strchr(".!#$%&'*+-/=?^_`{|}~", c) == NULL))
			return false;
	}
	return true;
}

static bool
domain_ok(const char *s)
{
	size_t label = 0;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '.') {
			if (label == 0 || s[-1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (c >= 0x80 || (!isalnum(c) && c != '-') ||
		    (c == '-' && label == 0) || ++label > 63)
			return false;
	}
	return label > 0 && s[-1] != '-';
}

bool
mail_address_ok(const char *s)
{
	const char *at = strchr(s, '@');

	return at != NULL && strlen(s) <= MAIL_ADDRESS_MAX &&
	       local_ok(s, (size_t)(at - s)) && domain_ok(at + 1);
}

/* The length of the name before "<", spaces after it not counted; 0: none. */
static size_t
name_length(const char *from)
{
	const char *open = strrchr(from, '<');
	size_t n;

	if (open == NULL)
		return 0;
	for (n = (size_t)(open - from); n > 0 && from[n - 1] == ' '; n--)
		continue;
	return n;
}

char *
mail_address_of(const void *ctx, const char *from)
{
	const char *open = strrchr(from, '<');
	size_t n;
	char *address;

	if (open == NULL)
		return mail_address_ok(from) ? mem_strdup(ctx, from) : NULL;
	n = strlen(open);
	if (n < 3 || open[n - 1] != '>')
		return NULL;
	address = mem_strndup(ctx, open + 1, n - 2);
	if (mail_address_ok(address))
		return address;
	mem_free(address);
	return NULL;
}

/* --- headers -----------------------------------------------------------------
 */

/* Text of one line. */
static bool
line_ok(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return str_utf8_valid(s, n);
}

static int
check(const struct mail *m, struct err *e)
{
	size_t n = strlen(m->subject), name = name_length(m->from);

	if (!mail_address_ok(m->to))
		return err_set(e, ERR_INVALID,
		    "the recipient is no address that can be written to");
	if (!line_ok(m->from, strlen(m->from)) || name > NAME_MAX_)
		return err_set(e, ERR_INVALID,
		    "the sender's name has a control character, is not UTF-8 "
		    "or longer than %d bytes",
		    NAME_MAX_);
	if (!line_ok(m->subject, n) || n == 0 || n > MAIL_SUBJECT_MAX)
		return err_set(e, ERR_INVALID,
		    "the subject is empty, has a control character, is not "
		    "UTF-8 or longer than %d bytes",
		    MAIL_SUBJECT_MAX);
	if (strlen(m->text) > MAIL_BODY_MAX ||
	    (m->html != NULL && strlen(m->html) > MAIL_BODY_MAX))
		return err_set(e, ERR_TOO_LARGE,
		    "the text is longer than %zu bytes", MAIL_BODY_MAX);
	if (!str_utf8_valid(m->text, strlen(m->text)) ||
	    (m->html != NULL && !str_utf8_valid(m->html, strlen(m->html))))
		return err_set(e, ERR_INVALID, "the text is not UTF-8");
	return 0;
}

/* A name that is ASCII is quoted, any other encoded. */
static void
add_from(struct buf *b, const char *from, const char *address)
{
	size_t n = name_length(from);
	bool ascii = true;
	char name[NAME_MAX_ + 1];

	if (n > 1 && from[0] == '"' && from[n - 1] == '"') {
		from++;
		n -= 2;
	}
	memcpy(name, from, n);
	name[n] = '\0';
	for (size_t i = 0; i < n; i++)
		ascii = ascii && (unsigned char)name[i] < 0x80;
	buf_adds(b, "From: ");
	if (n > 0 && ascii) {
		buf_addc(b, '"');
		for (size_t i = 0; i < n; i++) {
			if (name[i] == '"' || name[i] == '\\')
				buf_addc(b, '\\');
			buf_addc(b, name[i]);
		}
		buf_addc(b, '"');
	} else if (n > 0)
		mime_header(b, name, 6);
	buf_addf(b, "%s<%s>\r\n", n > 0 ? "\r\n " : "", address);
}

/* RFC 5322, 3.3; names of days and months are English whatever the locale. */
static void
add_date(struct buf *b)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm t;

	gmtime_r(&now, &t);
	buf_addf(b, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d +0000\r\n",
	    days + (size_t)t.tm_wday * 3, t.tm_mday,
	    months + (size_t)t.tm_mon * 3, t.tm_year + 1900, t.tm_hour,
	    t.tm_min, t.tm_sec);
}

static void
add_part(struct buf *b, const char *type, const char *text)
{
	buf_addf(b,
	    "Content-Type: text/%s; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	    type);
	mime_quoted_printable(b, text);
}

static void
add_body(struct buf *b, const struct mail *m, const char *id)
{
	if (m->html == NULL) {
		add_part(b, "plain", m->text);
		return;
	}
	/* "=_" stands in no quoted-printable text.  The line break before a
	 * boundary belongs to it. */
	buf_addf(b,
	    "Content-Type: multipart/alternative;\r\n boundary=\"=_%s\"\r\n\r\n"
	    "--=_%s\r\n",
	    id, id);
	add_part(b, "plain", m->text);
	buf_addf(b, "\r\n--=_%s\r\n", id);
	add_part(b, "html", m->html);
	buf_addf(b, "\r\n--=_%s--\r\n", id);
}

int
mail_message(const void *ctx, const struct mail *m, char **ret, size_t *len,
    struct err *e)
{
	char *address, id_text[UUID_TEXT];
	struct uuid id;
	struct buf b;

	*ret = NULL;
	if (check(m, e) != 0)
		return -1;
	address = mail_address_of(ctx, m->from);
	if (address == NULL)
		return err_set(e, ERR_INVALID,
		    "the sender is neither an address nor \"Name <address>\"");
	id_new(&id);
	id_format(&id, id_text);
	buf_init(&b, ctx, MESSAGE_MAX);
	add_from(&b, m->from, address);
	buf_addf(&b, "To: <%s>\r\nSubject: ", m->to);
	mime_header(&b, m->subject, strlen("Subject: "));
	buf_adds(&b, "\r\n");
	add_date(&b);
	buf_addf(&b,
	    "Message-ID: <%s%s>\r\nMIME-Version: 1.0\r\n"
	    "Auto-Submitted: auto-generated\r\n",
	    id_text, strchr(address, '@'));
	add_body(&b, m, id_text);
	mem_free(address);
	if (buf_failed(&b)) {
		buf_free(&b);
		return err_set(e, ERR_TOO_LARGE, "the message is too long");
	}
	*ret = b.data;
	*len = b.len;
	return 0;
}
