/* How guessable a password is, in pieces. */
#ifndef AUTH_PASSWORD_PRIV_H
#define AUTH_PASSWORD_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a piece is; the last ones are what is complained of. */
enum piece {
	PIECE_CHARACTER,
	PIECE_YEAR,
	PIECE_WORD,
	PIECE_ROW,    /* neighbours in the alphabet or on a keyboard */
	PIECE_REPEAT, /* of something before it */
	PIECES
};

struct pieces {
	unsigned n;             /* as few as possible */
	unsigned chars[PIECES]; /* characters that each kind took */
};

/* Words in the form of unicode_fold(). */
struct word {
	int32_t c[64];
	size_t n;
};

/*
 * Cut the folded p[0..n) into pieces: its first PIECES_CUT_MAX characters,
 * which are enough to tell.  The memory it needs lies below ctx.
 */
#define PIECES_CUT_MAX 256
void pieces_cut(
    const void *ctx, const int32_t *p, size_t n, struct pieces *out);

/* Does ${word} stand in p[0..n), in any decoration? */
bool pieces_find(const int32_t *p, size_t n, const struct word *word);

/* The common words, NULL-terminated; lower case ASCII. */
extern const char *const password_words[];

#endif
