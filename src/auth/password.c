/* The rules for passwords. */
#include "auth/password.h"

#include <ctype.h>
#include <string.h>

#include "auth/password_priv.h"
#include "crypto/hash.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/unicode.h"

#include "util/banned.h"

#define PRODUCT "switchboard"
/* A part shorter than this is no word to look for. */
#define OWN_MIN 4
#define OWN_MAX 24
/* Folding takes a compatible character apart, 18 for one at the most. */
#define FOLDED_MAX ((size_t)4 * PASSWORD_BYTES_MAX)

static int
bad_text(struct err *e, const char *p, size_t n)
{
	size_t good = str_utf8_prefix(p, n);

	return err_set(e, ERR_INVALID,
	    "the password is not UTF-8 (byte %zu is no character)", good + 1);
}

/* ${assigned}: as unicode_nfc(). */
static int
normal(const void *ctx, const char *p, size_t n, bool assigned, char **ret,
    struct err *e)
{
	*ret = NULL;
	if (n == 0)
		return err_set(e, ERR_INVALID, "the password is empty");
	if (memchr(p, '\0', n) != NULL)
		return err_set(
		    e, ERR_INVALID, "the password has a NUL character in it");
	switch (unicode_nfc(ctx, p, n, assigned, PASSWORD_BYTES_MAX, ret)) {
	case UNICODE_OK:
		return 0;
	case UNICODE_BAD:
		return bad_text(e, p, n);
	case UNICODE_UNASSIGNED:
		return err_set(e, ERR_INVALID,
		    "the password has a character that this server's Unicode "
		    "does not know");
	case UNICODE_LONG:
		break;
	}
	return err_set(e, ERR_INVALID, "the password is longer than %d bytes",
	    PASSWORD_BYTES_MAX);
}

int
password_prepare(
    const void *ctx, const char *p, size_t n, char **ret, struct err *e)
{
	return normal(ctx, p, n, false, ret, e);
}

/* --- the owner's words ------------------------------------------------------
 */

struct own {
	struct word words[OWN_MAX];
	const char *what[OWN_MAX]; /* whose */
	size_t n;
};

static void
own_add(struct own *o, const char *s, size_t n, const char *what)
{
	struct word *w = &o->words[o->n];
	int len;

	if (o->n == OWN_MAX)
		return;
	len = unicode_fold(s, n, w->c, sizeof(w->c) / sizeof(w->c[0]));
	if (len < OWN_MIN)
		return;
	w->n = (size_t)len;
	o->what[o->n++] = what;
}

/* The whole and its parts, which anything but letters and digits divides. */
static void
own_parts(struct own *o, const char *s, size_t n, const char *what)
{
	size_t from = 0;

	own_add(o, s, n, what);
	for (size_t i = 0; i <= n; i++) {
		unsigned char c = i < n ? (unsigned char)s[i] : ' ';

		if (isalnum(c) || c >= 0x80)
			continue;
		if (i > from && i - from < n)
			own_add(o, s + from, i - from, what);
		from = i + 1;
	}
}

static void
own_email(struct own *o, const char *email)
{
	const char *at = strrchr(email, '@'), *dot;

	if (at == NULL) {
		own_parts(o, email, strlen(email), "your e-mail address");
		return;
	}
	own_parts(o, email, (size_t)(at - email), "your e-mail address");
	/* Not the last label, which says nothing. */
	dot = strrchr(at, '.');
	if (dot != NULL)
		own_parts(
		    o, at + 1, (size_t)(dot - at - 1), "your e-mail address");
}

static void
own_words(struct own *o, const struct password_owner *w)
{
	o->n = 0;
	own_add(o, PRODUCT, strlen(PRODUCT), "this product's name");
	if (w->email != NULL)
		own_email(o, w->email);
	if (w->account != NULL)
		own_parts(
		    o, w->account, strlen(w->account), "the account's name");
	if (w->name != NULL)
		own_parts(o, w->name, strlen(w->name), "your name");
}

/* --- what is wrong ----------------------------------------------------------
 */

/* The shortest part that the whole repeats, at least twice; n: none. */
static size_t
period(const int32_t *p, size_t n)
{
	for (size_t k = 1; 2 * k <= n; k++) {
		size_t i = k;

		while (i < n && p[i] == p[i - k])
			i++;
		if (i == n)
			return k;
	}
	return n;
}

static int
too_few_pieces(const struct pieces *cut, struct err *e)
{
	static const struct {
		enum piece kind;
		const char *text;
	} blame[] = {
		{ PIECE_REPEAT, "the password repeats itself" },
		{ PIECE_ROW,
		    "the password is mostly a row of neighbouring characters "
		    "or keys" },
		{ PIECE_WORD,
		    "the password is a common word or two with the usual "
		    "decorations" },
		{ PIECE_YEAR, "the password is mostly years" },
	};
	size_t most = 0;

	for (size_t i = 1; i < sizeof(blame) / sizeof(blame[0]); i++)
		if (cut->chars[blame[i].kind] > cut->chars[blame[most].kind])
			most = i;
	return err_set(
	    e, ERR_INVALID, "%s: it would be guessed soon", blame[most].text);
}

static int
guessable(const void *ctx, const int32_t *p, size_t n, size_t min,
    const struct password_owner *w, struct err *e)
{
	struct own own;
	struct pieces cut;

	own_words(&own, w);
	for (size_t i = 0; i < own.n; i++)
		if (pieces_find(p, n, &own.words[i]))
			return err_set(e, ERR_INVALID,
			    "the password contains a part of %s", own.what[i]);
	if (period(p, n) < min && period(p, n) < n)
		return err_set(e, ERR_INVALID,
		    "the password repeats itself: it would be guessed soon");
	pieces_cut(ctx, p, n, &cut);
	if (cut.n < PASSWORD_PIECES_MIN)
		return too_few_pieces(&cut, e);
	return 0;
}

static int
rules(const void *ctx, const char *p, const struct password_owner *w,
    struct err *e)
{
	size_t min = w->second_factor ? PASSWORD_MIN_SECOND : PASSWORD_MIN;
	size_t chars = unicode_count(p);
	int32_t *folded;
	int n, rc;

	for (const char *c = p; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(e, ERR_INVALID,
			    "the password has a control character in it");
	if (chars < min)
		return err_set(e, ERR_INVALID,
		    "the password has %zu characters, at least %zu are "
		    "needed%s",
		    chars, min,
		    w->second_factor ? "" : " without a second factor");
	folded = mem_array(ctx, int32_t, FOLDED_MAX);
	n = unicode_fold(p, strlen(p), folded, FOLDED_MAX);
	/* Folded to more than fits: nobody's guess. */
	rc = n < 0 ? 0 : guessable(ctx, folded, (size_t)n, min, w, e);
	crypto_wipe(folded, FOLDED_MAX * sizeof(*folded));
	mem_free(folded);
	return rc;
}

int
password_choose(const void *ctx, const char *p, size_t n,
    const struct password_owner *w, char **ret, struct err *e)
{
	if (normal(ctx, p, n, true, ret, e) != 0)
		return -1;
	if (rules(ctx, *ret, w, e) == 0)
		return 0;
	crypto_wipe(*ret, strlen(*ret));
	mem_free(*ret);
	*ret = NULL;
	return -1;
}
