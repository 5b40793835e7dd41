/* The file of the demo's keys and passwords. */
#include "cli/demo/secrets.h"

#include <string.h>

#include "cli/files.h"
#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

#define SECRETS_MAX 65536

int
secrets_read(struct cli *c, const char *path, struct secrets *s, struct err *e)
{
	char *text;
	size_t len;

	s->path = path;
	s->changed = false;
	s->values = json_object();
	if (path == NULL || !files_exist(path))
		return 0;
	if (cli_read(c, path, SECRETS_MAX, &text, &len, e) != 0) {
		secrets_drop(s);
		return -1;
	}
	while (*text != '\0') {
		size_t line = strcspn(text, "\n"), name = strcspn(text, "=\n");

		if (name > 0 && name < line && text[0] != '#')
			json_object_set_new(s->values,
			    mem_strndup(c->ctx, text, name),
			    json_stringn(text + name + 1, line - name - 1));
		text += line + (text[line] != '\0');
	}
	return 0;
}

const char *
secrets_get(const struct secrets *s, const char *name)
{
	const char *v = json_string_value(json_object_get(s->values, name));

	return v != NULL && v[0] != '\0' ? v : NULL;
}

void
secrets_set(struct secrets *s, const char *name, const char *value)
{
	const char *old = secrets_get(s, name);

	if (old != NULL && strcmp(old, value) == 0)
		return;
	json_object_set_new(s->values, name, json_string(value));
	s->changed = true;
}

int
secrets_write(struct cli *c, const struct secrets *s, struct err *e)
{
	struct buf b;
	const char *name;
	json_t *v;

	if (s->path == NULL || !s->changed)
		return 0;
	buf_init(&b, c->ctx, SECRETS_MAX);
	json_object_foreach(s->values, name, v)
	    buf_addf(&b, "%s=%s\n", name, json_string_value(v));
	if (buf_failed(&b))
		return err_set(e, ERR_TOO_LARGE, "%s: too much", s->path);
	return files_write(s->path, b.data, b.len, 0600, e);
}

void
secrets_drop(struct secrets *s)
{
	json_decref(s->values);
	s->values = NULL;
}
