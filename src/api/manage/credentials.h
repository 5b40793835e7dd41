/* What the handlers of keys for model providers share. */
#ifndef API_MANAGE_CREDENTIALS_H
#define API_MANAGE_CREDENTIALS_H

#include <stdint.h>

#include "api/manage/manage.h"

struct health_limits;

/* The handlers api_credential_WHAT, of an account, and
 * api_platform_credential_WHAT, of the platform, made of credential_WHAT. */
#define CREDENTIAL_HANDLER(what)                                               \
	static int platform_##what(struct manage *m, struct err *e)            \
	{                                                                      \
		manage_platform(m);                                            \
		return credential_##what(m, e);                                \
	}                                                                      \
	MANAGE_HANDLER(api_credential_##what, credential_##what)               \
	MANAGE_HANDLER(api_platform_credential_##what, platform_##what)

extern const struct manage_object credential_object;

/* Take from a credential as it is shown what changes by itself: the rest is for
 * the record. */
void credential_settled(json_t *shown);

/* How it fares, as all workers of this host know it; a new reference. */
json_t *credential_live(uint32_t slot, const struct health_limits *);

#endif
