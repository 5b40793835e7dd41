/* API keys: made, shown once, replaced, revoked. */
#include <stdlib.h>
#include <string.h>

#include "api/console/console.h"
#include "api/handlers.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define SHOWN 50
#define DAY INT64_C(86400000000)

static const char *const times[] = { "created_at", "last_used_at", "expires_at",
	"revoked_at", NULL };

/* The roles a key may have: what the account has, but nothing above oneself is
 * left to the API, which refuses it. */
static int
add_roles(struct console *c)
{
	const char *asked = console_field(c, "role");
	json_t *roles = json_array(), *list, *v;
	size_t i;

	if (!console_may(c, PERM_ROLE_READ)) {
		console_set(c, "roles", roles);
		return 0;
	}
	list = console_get(c, "/roles?limit=200");
	json_array_foreach(json_object_get(list, "data"), i, v)
	{
		const char *name =
		    json_string_value(json_object_get(v, "name"));

		json_array_append_new(roles,
		    json_pack("{s:s, s:O?, s:b}", "name", name, "text",
			json_object_get(v, "description"), "on",
			strcmp(*asked != '\0' ? asked : "support", name) == 0));
	}
	console_set(c, "roles", roles);
	return list != NULL ? 0 : -1;
}

static int
show(struct console *c, const json_t *problem, const char *key)
{
	json_t *list, *v;
	size_t i;

	console_title(c, console_text(c, "keys.title"), NULL);
	list = console_get(c, "/api-keys%s", console_list_query(c, SHOWN, ""));
	if (list == NULL)
		return -1;
	json_array_foreach(json_object_get(list, "data"), i, v)
	{
		const char *status =
		    json_string_value(json_object_get(v, "status"));

		json_object_set_new(v, "state", console_state(c, status));
		json_object_set_new(v, "usable",
		    json_boolean(
			status != NULL && strcmp(status, "active") == 0));
	}
	console_times(c, json_object_get(list, "data"), times);
	console_set(c, "any", json_boolean(i > 0));
	console_set(c, "keys", json_incref(json_object_get(list, "data")));
	console_set(c, "action", json_string(console_path(c, "keys")));
	console_more(c, list, "keys", "");
	if (key != NULL)
		console_set(c, "made", json_string(key));
	if (console_may(c, PERM_KEY_WRITE)) {
		console_set(c, "write", json_true());
		console_set(c, "name", json_string(console_field(c, "name")));
		if (add_roles(c) != 0)
			return -1;
	}
	if (problem != NULL)
		console_wrong(c, problem);
	return 0;
}

static int
keys(struct console *c)
{
	return show(c, NULL, NULL);
}
CONSOLE_PAGE(console_keys, "keys", "keys", keys)

/* A new key stands on the page that answers, and nowhere else. */
static int
make(struct console *c, const char *path, const json_t *body)
{
	json_t *reply = NULL, *problem = NULL;

	if (console_do(c, "POST", path, body, NULL, &reply, &problem) != 0)
		return show(c, problem, NULL);
	return show(c, NULL, json_string_value(json_object_get(reply, "key")));
}

static int
key_make(struct console *c)
{
	const char *days = console_field(c, "days");
	json_auto_t *body = json_pack("{s:s, s:s}", "name",
	    console_field(c, "name"), "role", console_field(c, "role"));
	long n = strspn(days, "0123456789") == strlen(days) && strlen(days) < 5
	             ? strtol(days, NULL, 10)
	             : 0;
	char until[CLOCK_RFC3339_SIZE];

	if (n > 0) {
		clock_rfc3339(clock_wall_us() + n * DAY, until);
		json_object_set_new(body, "expires_at", json_string(until));
	}
	return make(c, "/api-keys", body);
}
CONSOLE_PAGE(console_key_make, "keys", "keys", key_make)

static int
key_revoke(struct console *c)
{
	const char *id = console_id(c, "key_id");
	json_t *problem = NULL;

	if (id == NULL)
		return -1;
	if (console_do(c, "DELETE", mem_printf(c->ctx, "/api-keys/%s", id),
		NULL, NULL, NULL, &problem) != 0)
		return console_refuse(c, problem);
	return console_go(c, "keys?done=key_revoked");
}
CONSOLE_PAGE(console_key_revoke, "keys", "keys", key_revoke)

static int
key_rotate(struct console *c)
{
	const char *id = console_id(c, "key_id");
	json_auto_t *body = json_object();

	if (id == NULL)
		return -1;
	return make(c, mem_printf(c->ctx, "/api-keys/%s/rotate", id), body);
}
CONSOLE_PAGE(console_key_rotate, "keys", "keys", key_rotate)
