/* A password cut into as few guessable pieces as possible. */
#include "auth/password_priv.h"

#include <stdbool.h>
#include <string.h>

#include "util/mem.h"

#include "util/banned.h"

#define ROW_MIN 3    /* abc, 321 */
#define WALK_MIN 4   /* keys that touch, in any direction */
#define REPEAT_MIN 3 /* characters that stood there before */

/* --- decorations -----------------------------------------------------------
 */

/* What may stand for a letter. */
static const struct {
	char letter;
	const char *stand_ins;
} leet[] = {
	{ 'a', "4@^" },
	{ 'b', "8" },
	{ 'c', "(<{" },
	{ 'e', "3" },
	{ 'g', "96" },
	{ 'h', "#" },
	{ 'i', "1!|" },
	{ 'l', "1|!" },
	{ 'o', "0" },
	{ 's', "5$" },
	{ 't', "7+" },
	{ 'x', "%" },
	{ 'z', "2" },
};

static bool
stands_for(int32_t c, int32_t letter)
{
	if (c == letter)
		return true;
	if (c <= ' ' || c > '~')
		return false;
	for (size_t i = 0; i < sizeof(leet) / sizeof(leet[0]); i++)
		if (leet[i].letter == letter)
			return strchr(leet[i].stand_ins, (int)c) != NULL;
	return false;
}

/* Is word[0..n) what stands at ${p}, which has ${left} characters? */
static bool
word_at(const int32_t *p, size_t left, const struct word *w, bool backwards)
{
	if (w->n == 0 || w->n > left)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (!stands_for(p[i], w->c[backwards ? w->n - 1 - i : i]))
			return false;
	return true;
}

bool
pieces_find(const int32_t *p, size_t n, const struct word *w)
{
	for (size_t i = 0; i + w->n <= n; i++)
		if (word_at(p + i, n - i, w, false) ||
		    word_at(p + i, n - i, w, true))
			return true;
	return false;
}

/* --- rows ------------------------------------------------------------------
 */

/* The keyboards' rows, shifted where that makes another character; a key lies
 * beside its neighbours in the row, below those of the row above. */
static const char *const keyboards[][8] = {
	{ "1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./",
	    "!@#$%^&*()_+", NULL },
	{ "1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm,.-",
	    "!\"\x01$%&/()=", NULL },
	{ "1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!", "&\x01\"'(-",
	    NULL },
	{ "789", "456", "123", "0", NULL },
};
#define KEYBOARDS (sizeof(keyboards) / sizeof(keyboards[0]))
#define SHIFTED 4 /* lies where row 0 does */

static bool
key_place(size_t keyboard, int32_t c, int *row, int *column)
{
	if (c <= ' ' || c > '~')
		return false;
	for (int r = 0; keyboards[keyboard][r] != NULL; r++) {
		const char *at = strchr(keyboards[keyboard][r], (int)c);

		if (at == NULL)
			continue;
		*row = r == SHIFTED ? 0 : r;
		*column = (int)(at - keyboards[keyboard][r]);
		return true;
	}
	return false;
}

static bool
keys_touch(size_t keyboard, int32_t a, int32_t b, bool straight)
{
	int ra, ca, rb, cb;

	if (a == b || !key_place(keyboard, a, &ra, &ca) ||
	    !key_place(keyboard, b, &rb, &cb))
		return false;
	if (ra == rb)
		return ca - cb == 1 || cb - ca == 1;
	return !straight && (ra - rb == 1 || rb - ra == 1) && ca - cb <= 1 &&
	       cb - ca <= 1;
}

static size_t
walk(size_t keyboard, const int32_t *p, size_t left, bool straight)
{
	size_t n = 1;

	while (n < left && keys_touch(keyboard, p[n - 1], p[n], straight))
		n++;
	return n;
}

/* The longest row that begins at ${p}; 0: none. */
static size_t
row_at(const int32_t *p, size_t left)
{
	size_t longest = 0;

	for (int32_t step = -1; step <= 1; step += 2) {
		size_t n = 1;

		while (n < left && p[n] - p[n - 1] == step)
			n++;
		if (n >= ROW_MIN && n > longest)
			longest = n;
	}
	for (size_t k = 0; k < KEYBOARDS; k++) {
		size_t n = walk(k, p, left, true);

		if (n >= ROW_MIN && n > longest)
			longest = n;
		n = walk(k, p, left, false);
		if (n >= WALK_MIN && n > longest)
			longest = n;
	}
	return longest;
}

/* --- years and repetitions -------------------------------------------------
 */

static bool
year_at(const int32_t *p, size_t left)
{
	if (left < 4 ||
	    !((p[0] == '1' && p[1] == '9') || (p[0] == '2' && p[1] == '0')))
		return false;
	return p[2] >= '0' && p[2] <= '9' && p[3] >= '0' && p[3] <= '9';
}

/* How many characters at ${i} have stood before it in the same order; the
 * earlier ones may reach into the later. */
static size_t
repeat_at(const int32_t *p, size_t n, size_t i)
{
	size_t longest = 0;

	for (size_t from = 0; from < i; from++) {
		size_t len = 0;

		while (i + len < n && p[from + len] == p[i + len])
			len++;
		if (len > longest)
			longest = len;
	}
	return longest >= REPEAT_MIN ? longest : 0;
}

/* --- the cut ---------------------------------------------------------------
 */

struct cut {
	unsigned n; /* pieces up to here */
	size_t from;
	enum piece kind;
};

/* A piece of ${kind} that ends anywhere in (i, i + len]. */
static void
offer(struct cut *cuts, size_t i, size_t len, enum piece kind, bool shorter)
{
	for (size_t k = shorter ? 1 : len; k <= len && k > 0; k++)
		if (cuts[i].n + 1 < cuts[i + k].n)
			cuts[i + k] = (struct cut){ cuts[i].n + 1, i, kind };
}

static void
offer_words(struct cut *cuts, const int32_t *p, size_t n, size_t i,
    const struct word *w)
{
	if (word_at(p + i, n - i, w, false) || word_at(p + i, n - i, w, true))
		offer(cuts, i, w->n, PIECE_WORD, false);
}

static void
word_set(struct word *w, const char *s)
{
	for (w->n = 0; s[w->n] != '\0'; w->n++)
		w->c[w->n] = s[w->n];
}

void
pieces_cut(const void *ctx, const int32_t *p, size_t n, struct pieces *out)
{
	struct cut *cuts = mem_array(ctx, struct cut, PIECES_CUT_MAX + 1);
	struct word w;

	if (n > PIECES_CUT_MAX)
		n = PIECES_CUT_MAX;
	for (size_t i = 1; i <= n; i++)
		cuts[i].n = (unsigned)n + 1;
	for (size_t i = 0; i < n; i++) {
		offer(cuts, i, 1, PIECE_CHARACTER, false);
		for (size_t k = 0; password_words[k] != NULL; k++) {
			word_set(&w, password_words[k]);
			offer_words(cuts, p, n, i, &w);
		}
		if (year_at(p + i, n - i))
			offer(cuts, i, 4, PIECE_YEAR, false);
		offer(cuts, i, row_at(p + i, n - i), PIECE_ROW, true);
		offer(cuts, i, repeat_at(p, n, i), PIECE_REPEAT, true);
	}
	memset(out, 0, sizeof(*out));
	out->n = cuts[n].n;
	for (size_t i = n; i > 0; i = cuts[i].from)
		out->chars[cuts[i].kind] += (unsigned)(i - cuts[i].from);
	mem_free(cuts);
}
