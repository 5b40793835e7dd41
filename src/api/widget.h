/* Widget tokens, given to whoever has shown a widget key or is on a page of
 * ours that goes by one. */
#ifndef API_WIDGET_H
#define API_WIDGET_H

#include "auth/widget_token.h"

struct agent_spec;
struct app;
struct caller;
struct http_req;
struct http_resp;

/*
 * Answer with a token for who->origin that stands for the key ${hash}, which
 * who->key is, and with how the chat is to look; ${agent}: the one agent of the
 * page, or NULL: the one that the body or the key names.
 */
void widget_token_answer(struct app *, struct http_req *, struct http_resp *,
    const struct caller *who, const unsigned char hash[WIDGET_KEY_HASH],
    const struct agent_spec *agent);

#endif
