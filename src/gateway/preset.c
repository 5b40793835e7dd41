/* The table of the vendors' usage tiers. */
#include "gateway/preset.h"

#include <string.h>

#include "util/banned.h"

static const struct {
	const char *provider;
	struct preset tier[PRESET_TIERS];
} table[] = {
	/* Rate limits of gpt-4o by usage tier. */
	{ "openai", { { 500, 30000, 0 }, { 5000, 450000, 0 },
			{ 5000, 800000, 0 }, { 10000, 2000000, 0 } } },
	/* Rate limits of the Sonnet models by usage tier: input and output
	 * tokens are counted apart, tpm is their sum. */
	{ "anthropic",
	    { { 50, 38000, 30000 }, { 1000, 540000, 450000 },
		{ 2000, 960000, 800000 }, { 4000, 2400000, 2000000 } } },
};

struct preset
preset_of(const char *provider, int tier)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].provider, provider) == 0 && tier >= 1 &&
		    tier <= PRESET_TIERS)
			return table[i].tier[tier - 1];
	return (struct preset){ 0 };
}
