/* The random half of an id is hash enough. */
#include "util/pairs.h"

#include <string.h>

#include "util/mem.h"

#include "util/banned.h"

void
pairs_add(struct pairs *s, const struct uuid *owner, const struct uuid *id)
{
	uint64_t hash;

	memcpy(&hash, id->b + 8, sizeof(hash));
	hash ^= hash >> 32;
	pthread_mutex_lock(&s->mu);
	for (unsigned i = (unsigned)hash % PAIRS_PLACES;;
	     i = (i + 1) % PAIRS_PLACES) {
		struct pair *p = &s->place[i];

		if (id_eq(&p->id, id))
			break;
		if (!id_is_nil(&p->id))
			continue;
		if (s->n < PAIRS_PLACES / 2) {
			p->owner = *owner;
			p->id = *id;
			s->n++;
		}
		break;
	}
	pthread_mutex_unlock(&s->mu);
}

struct pair *
pairs_take(struct pairs *s, const void *ctx, unsigned *n)
{
	struct pair *taken = NULL;

	*n = 0;
	pthread_mutex_lock(&s->mu);
	if (s->n > 0) {
		taken = mem_array(ctx, struct pair, s->n);
		for (unsigned i = 0; *n < s->n; i++)
			if (!id_is_nil(&s->place[i].id))
				taken[(*n)++] = s->place[i];
		memset(s->place, 0, sizeof(s->place));
		s->n = 0;
	}
	pthread_mutex_unlock(&s->mu);
	return taken;
}

/* An array's text: braces, and a comma or the end behind each. */
static char *
array_of(const struct pair *p, unsigned n, size_t at, const void *ctx)
{
	char *text = mem_array(ctx, char, (size_t)n *UUID_TEXT + 3), *end;

	end = text;
	*end++ = '{';
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			*end++ = ',';
		id_format((const struct uuid *)((const char *)&p[i] + at), end);
		end += UUID_TEXT - 1;
	}
	*end++ = '}';
	*end = '\0';
	return text;
}

void
pairs_arrays(const struct pair *p, unsigned n, const void *ctx,
    const char **owners, const char **ids)
{
	*owners = array_of(p, n, offsetof(struct pair, owner), ctx);
	*ids = array_of(p, n, offsetof(struct pair, id), ctx);
}
