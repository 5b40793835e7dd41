/* Specs: built once, then only counted. */
#include "agent/spec.h"

#include <stdatomic.h>
#include <stdint.h>

#include "agent/merge_priv.h"
#include "util/mem.h"

#include "util/banned.h"

/* What is counted; the public part first. */
struct counted {
	struct agent_spec s;
	atomic_uint refs;
};

/* jansson's values are not below the talloc tree. */
static int
drop_json(struct counted *c)
{
	for (int i = 0; i < c->s.ntools; i++)
		json_decref(c->s.tools[i].settings);
	json_decref(c->s.feature_flags);
	json_decref(c->s.merged);
	return 0;
}

static int
build(const struct agent_template *t, const json_t *configuration, bool shown,
    struct agent_spec **ret, struct spec_error errors[SPEC_ERRORS],
    int *nerrors)
{
	struct counted *c = mem_new(NULL, struct counted);
	struct merge m = { .t = t,
		.configuration = configuration,
		.spec = &c->s,
		.shown = shown,
		.errors = errors };

	atomic_init(&c->refs, 1);
	talloc_set_destructor(c, drop_json);
	merge_apply(&m);
	*nerrors = m.nerrors;
	if (m.nerrors > 0) {
		mem_free(c);
		return -1;
	}
	*ret = &c->s;
	return 0;
}

int
spec_build(const struct agent_template *t, const json_t *configuration,
    struct agent_spec **ret, struct spec_error errors[SPEC_ERRORS],
    int *nerrors)
{
	return build(t, configuration, false, ret, errors, nerrors);
}

int
spec_build_shown(const struct agent_template *t, const json_t *configuration,
    struct agent_spec **ret, struct spec_error errors[SPEC_ERRORS],
    int *nerrors)
{
	return build(t, configuration, true, ret, errors, nerrors);
}

const struct agent_spec *
agent_spec_ref(const struct agent_spec *s)
{
	/* The count is no part of the immutable value. */
	struct counted *c = (struct counted *)(uintptr_t)s;

	atomic_fetch_add(&c->refs, 1);
	return s;
}

void
agent_spec_unref(const struct agent_spec *s)
{
	struct counted *c = (struct counted *)(uintptr_t)s;

	if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
		mem_free(c);
}
