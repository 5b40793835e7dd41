/* Texts in each language, and which one a reader wants. */
#include "page/texts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define FILE_MOST ((size_t)256 * 1024)
#define FILE_LIMITS ((struct json_limits){ 4, 20000 })

static const char *const names[PAGES_LANGS] = { "en", "de" };

const char *
pages_lang_name(enum pages_lang lang)
{
	return names[lang];
}

int
pages_lang_parse(const char *word, size_t n)
{
	for (int i = 0; i < PAGES_LANGS; i++)
		if (n == strlen(names[i]) &&
		    strncasecmp(word, names[i], n) == 0)
			return i;
	return -1;
}

/* The weight of "de;q=0.8" after its name, in thousandths. */
static int
weight(const char *s, size_t n)
{
	const char *q = memchr(s, '=', n);

	if (q == NULL)
		return 1000;
	q++;
	if (*q != '0')
		return *q == '1' ? 1000 : 0;
	if (q[1] != '.')
		return 0;

	int out = 0, unit = 100;

	for (q += 2; *q >= '0' && *q <= '9' && unit > 0; q++, unit /= 10)
		out += (*q - '0') * unit;
	return out;
}

enum pages_lang
pages_lang_wanted(const char *accept)
{
	enum pages_lang best = PAGES_EN;
	int most = 0;

	while (accept != NULL && *accept != '\0') {
		size_t n, word;
		int lang, w;

		accept += strspn(accept, ", \t");
		n = strcspn(accept, ",");
		word = strcspn(accept, "-;, \t");
		lang = pages_lang_parse(accept, word);
		w = weight(accept + word, n - word);
		if (lang >= 0 && w > most) {
			best = (enum pages_lang)lang;
			most = w;
		}
		accept += n;
	}
	return best;
}

bool
texts_file(const char *name)
{
	for (int i = 0; i < PAGES_LANGS; i++)
		if (strlen(name) == 12 && memcmp(name, "text.", 5) == 0 &&
		    memcmp(name + 5, names[i], 2) == 0 &&
		    strcmp(name + 7, ".json") == 0)
			return true;
	return false;
}

/* Has ${have} all that ${want} has, and are these strings? */
static int
complete(const char *path, json_t *want, json_t *have, struct err *e)
{
	const char *group, *name;
	json_t *texts, *v;

	json_object_foreach(want, group, texts)
	{
		if (!json_is_object(texts))
			return err_set(e, ERR_INVALID,
			    "%s: %s is no object of texts", path, group);
		json_object_foreach(texts, name, v)
		{
			if (!json_is_string(json_object_get(
				json_object_get(have, group), name)))
				return err_set(e, ERR_INVALID,
				    "%s: there is no text %s.%s", path, group,
				    name);
		}
	}
	return 0;
}

static int
load_one(const void *ctx, const char *path, json_t **ret, struct err *e)
{
	struct err why = { 0 };
	struct buf b;
	int rc;

	buf_init(&b, ctx, FILE_MOST);
	rc = asset_read(path, &b, e);
	if (rc == 0 && json_parse(b.data != NULL ? b.data : "", b.len,
			   &FILE_LIMITS, ret, &why) != 0)
		rc = err_set(e, ERR_INVALID, "%s: %s", path, why.text);
	buf_free(&b);
	return rc;
}

int
texts_load(
    const void *ctx, const char *dir, json_t *out[PAGES_LANGS], struct err *e)
{
	char *path[PAGES_LANGS];

	for (int i = 0; i < PAGES_LANGS; i++) {
		path[i] = mem_printf(ctx, "%s/text.%s.json", dir, names[i]);
		if (load_one(ctx, path[i], &out[i], e) != 0)
			return -1;
	}
	for (int i = 0; i < PAGES_LANGS; i++)
		if (complete(path[i], out[0], out[i], e) != 0 ||
		    complete(path[0], out[i], out[0], e) != 0)
			return -1;
	return 0;
}

const char *
texts_find(const json_t *texts, const char *name)
{
	char group[64];
	size_t n = strcspn(name, ".");
	const char *text = NULL;

	if (n < sizeof(group) && name[n] == '.') {
		memcpy(group, name, n);
		group[n] = '\0';
		text = json_string_value(json_object_get(
		    json_object_get(texts, group), name + n + 1));
	}
	return text != NULL ? text : "";
}
