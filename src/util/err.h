/*
 * Errors are values: int 0 or -1, with the details in a struct the caller owns.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

/* The code says what can be done about it; api/problem.c makes the status. */
enum err_code {
	ERR_NONE = 0,
	ERR_MALFORMED,   /* 400: not what its syntax wants */
	ERR_UNKNOWN,     /* 401: nobody we know */
	ERR_DENIED,      /* 403: known, but may not */
	ERR_NOT_FOUND,   /* 404: not there, or not the caller's */
	ERR_CONFLICT,    /* 409 */
	ERR_TOO_LARGE,   /* 413 */
	ERR_TYPE,        /* 415: a media type we do not take */
	ERR_INVALID,     /* 422: well-formed, but breaks a rule */
	ERR_LIMIT,       /* 429 */
	ERR_UPSTREAM,    /* 502: somebody we asked failed */
	ERR_TIMEOUT,     /* 504: somebody we asked was too slow */
	ERR_UNAVAILABLE, /* 503: a part of ours is down or full; retry_after */
	ERR_GONE,        /* the reader left; nobody is there to tell */
	ERR_CANCELLED,   /* stopped on request */
	ERR_INTERNAL,    /* 500: our fault; the text never reaches a reader */
};

/*
 * kind is a static string: the last part of the problem type
 * ("limit-exceeded"), or NULL for the code's usual one.  retry_after is in
 * seconds, 0 = say nothing.  text never holds a secret.
 */
struct err {
	enum err_code code;
	int retry_after;
	const char *kind;
	char text[240];
};

/* Set *e from a printf format and return -1.  e may be NULL. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with a problem kind and seconds to wait. */
int err_set_kind(struct err *e, enum err_code code, const char *kind,
    int retry_after, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Put "prefix: " in front of the text of *e (cut at its end); return -1. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef SB_ANALYSE
/* Analysers look into one file at a time: tell them the value. */
#define err_set(...) ((err_set)(__VA_ARGS__), -1)
#define err_set_kind(...) ((err_set_kind)(__VA_ARGS__), -1)
#define err_prefix(...) ((err_prefix)(__VA_ARGS__), -1)
#endif

/* The code's name as it stands in logs: "not_found". */
const char *err_name(enum err_code code);

#endif
