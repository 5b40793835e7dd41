/* What a key of a provider may use a minute, by the provider's usage tier. */
#ifndef GATEWAY_PRESET_H
#define GATEWAY_PRESET_H

#include <stdint.h>

/* A minute; 0: no limit that we know. */
struct preset {
	int64_t rpm;  /* requests */
	int64_t tpm;  /* tokens, in and out */
	int64_t itpm; /* tokens in, without what its cache had */
};

#define PRESET_TIERS 4

/*
 * Of ${provider}'s tier 1 to 4; without limits for one we have no row of.
 * Vendors change theirs and set some by model: these are where a credential
 * starts; its own numbers stand above them, and what the provider says in its
 * answers above all.
 */
struct preset preset_of(const char *provider, int tier);

#endif
