/* The body of a chat request, checked field by field. */
#ifndef API_CHAT_BODY_H
#define API_CHAT_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct chat_ask;

#define CHAT_METADATA_MAX 8192
#define CHAT_EMAIL_MAX 254

/*
 * Fill the fields of ${ask} that come from the body; they point into ${body}.
 * null stands for an absent member.  ${widget}: its session_key may look like
 * anything, since what is not ours is not there.  *stream says what the body
 * wants.  0, or -1 with [{pointer, detail}] of all that is wrong in *errors
 * (new reference).
 */
int chat_body_read(const json_t *body, size_t message_max, bool widget,
    struct chat_ask *ask, bool *stream, json_t **errors);

/* The body of a feedback: rating, comment (NULL when absent).  As above. */
int feedback_body_read(
    const json_t *body, int *rating, const char **comment, json_t **errors);

#endif
