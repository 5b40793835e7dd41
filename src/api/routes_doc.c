/* The route table as Markdown. */
#include <stdio.h>

#include "api/app.h"

#include "util/banned.h"

static const char *
face_name(int faces)
{
	if (faces == (FACE_CHAT | FACE_ADMIN | FACE_HEALTH))
		return "all";
	if ((faces & (FACE_CHAT | FACE_TALK)) != 0)
		return "chat";
	return (faces & (FACE_ADMIN | FACE_PAGE)) != 0 ? "admin" : "health";
}

static const char *
body_name(enum body_limit body)
{
	switch (body) {
	case BODY_CHAT:
		return "body_max_chat";
	case BODY_OPENAI:
		return "1 MiB";
	case BODY_ADMIN:
		return "body_max_admin";
	case BODY_NONE:
		break;
	}
	return "none";
}

void
app_write_routes(FILE *out)
{
	fputs("| method | path | socket | permission | body | does |\n"
	      "|---|---|---|---|---|---|\n",
	    out);
	for (size_t i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];

		if (r->faces == FACE_OWN)
			continue;
		fprintf(out, "| %s | `%s` | %s | `%s` | %s | %s |\n", r->method,
		    r->pattern, face_name(r->faces), perm_name(r->perm),
		    body_name(r->body), r->summary);
	}
}
