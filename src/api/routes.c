/* The route table, and the rule that each row names its permission. */
#include "api/routes.h"

#include "api/handlers.h"
#include "telemetry/metric.h"

#include "util/banned.h"

#define ROUTE(faces_, method_, pattern_, perm_, handler_, body_, summary_,     \
    request_, statuses_, response_, type_, params_)                            \
	_Static_assert((perm_) > PERM_UNSET && (perm_) < PERM_COUNT,           \
	    "a route without a permission: " method_ " " pattern_);
#include "api/routes.def"
#undef ROUTE

#define ROUTE(faces_, method_, pattern_, perm_, handler_, body_, summary_,     \
    request_, statuses_, response_, type_, params_)                            \
	{ .faces = (faces_),                                                   \
		.method = (method_),                                           \
		.pattern = (pattern_),                                         \
		.perm = (perm_),                                               \
		.handler = (handler_),                                         \
		.body = (body_),                                               \
		.summary = (summary_),                                         \
		.request_schema = (request_),                                  \
		.statuses = (statuses_),                                       \
		.response_schema = (response_),                                \
		.response_type = (type_),                                      \
		.params = (params_),                                           \
		.name = #handler_,                                             \
		.label = method_ " " pattern_ },
const struct route routes[] = {
#include "api/routes.def"
};
#undef ROUTE

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

const char *
route_schema(const struct route *r)
{
	const char *name = r->request_schema;

	return name != NULL && *name == '?' ? name + 1 : name;
}

/* One more label is for what matches no route. */
_Static_assert(sizeof(routes) / sizeof(routes[0]) < METRIC_ROUTES,
    "more routes than metrics can tell apart: raise METRIC_ROUTES");
