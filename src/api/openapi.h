/* What openapi.c knows of parameters, for the documentation. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <stdbool.h>

struct route;

/* What a path variable, query parameter or header means, or NULL. */
const char *openapi_parameter_text(const char *name);

/* Is it a row of the management API? */
bool openapi_is_managed(const struct route *);

#endif
