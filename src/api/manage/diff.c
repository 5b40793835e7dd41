/* Two objects are walked by their sorted names; what differs is a leaf. */
#include "api/manage/diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

#include "util/banned.h"

#define DEPTH_MAX 32

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of both, each once, sorted; how many. */
static size_t
names_of(const void *ctx, const json_t *a, const json_t *b, const char ***ret)
{
	const char **names = mem_array(
	    ctx, const char *, json_object_size(a) + json_object_size(b) + 1);
	const char *name;
	size_t n = 0;
	json_t *v;

	json_object_foreach((json_t *)a, name, v) names[n++] = name;
	json_object_foreach((json_t *)b, name, v)
	{
		if (json_object_get(a, name) == NULL)
			names[n++] = name;
	}
	qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	return n;
}

/* ${pointer}/${name}, escaped (RFC 6901). */
static char *
member(const void *ctx, const char *pointer, const char *name)
{
	char *out =
	    mem_array(ctx, char, strlen(pointer) + 2 * strlen(name) + 2);
	size_t n = strlen(pointer);

	memcpy(out, pointer, n);
	out[n++] = '/';
	for (; *name != '\0'; name++) {
		if (*name == '~' || *name == '/') {
			out[n++] = '~';
			out[n++] = *name == '~' ? '0' : '1';
		} else {
			out[n++] = *name;
		}
	}
	return out;
}

static void
walk(const void *ctx, json_t *list, const char *pointer, json_t *a, json_t *b,
    int depth)
{
	const char **names, *op = "changed";
	size_t n;

	if (json_is_object(a) && json_is_object(b) && depth < DEPTH_MAX) {
		n = names_of(ctx, a, b, &names);
		for (size_t i = 0; i < n; i++)
			walk(ctx, list, member(ctx, pointer, names[i]),
			    json_object_get(a, names[i]),
			    json_object_get(b, names[i]), depth + 1);
		return;
	}
	if (a != NULL && b != NULL && json_equal(a, b))
		return;
	if (a == NULL)
		op = "added";
	else if (b == NULL)
		op = "removed";
	json_array_append_new(
	    list, json_pack("{s:s, s:s, s:O*, s:O*}", "pointer", pointer, "op",
		      op, "before", a, "after", b));
}

json_t *
diff(const json_t *before, const json_t *after)
{
	void *ctx = mem_root("diff");
	json_t *list = json_array();

	/* json_object_get() gives no const either */
	walk(ctx, list, "", (json_t *)(uintptr_t)before,
	    (json_t *)(uintptr_t)after, 0);
	mem_free(ctx);
	return list;
}
