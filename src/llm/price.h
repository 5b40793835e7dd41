/* The price table: what a model's tokens cost, by date.  Loaded per process
 * from the control plane (epoch slot 0), read without a lock held long. */
#ifndef LLM_PRICE_H
#define LLM_PRICE_H

#include <stdbool.h>
#include <stdint.h>

struct llm_usage;

struct price {
	char model[96]; /* provider:name; a trailing * matches a prefix */
	int64_t from_us, until_us; /* validity, until 0 = open */
	/* nano-dollars per token: dollars a million tokens x 1000 */
	int64_t input, output, cached, cache_write;
};

/* Replace the table (copied). */
void price_set(const struct price *rows, int n);
/* Cost in nano-dollars of ${u} at ${wall_us}; false when no price is known. */
bool price_cost(const char *model, const struct llm_usage *u, int64_t wall_us,
    int64_t *nano);

#endif
