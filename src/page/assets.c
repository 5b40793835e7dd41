/* Style sheets and scripts of a folder. */
#include "page/assets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "util/auto.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define HASH_BYTES 4

static const struct {
	const char *suffix, *type;
} kinds[] = {
	{ ".css", "text/css; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool
ends(const char *s, size_t n, const char *suffix)
{
	size_t m = strlen(suffix);

	return n > m && memcmp(s + n - m, suffix, m) == 0;
}

/* Which of the kinds the name's first ${n} bytes are; -1: none. */
static int
kind_of(const char *name, size_t n)
{
	if (*name == '.' || n + 2 + 2 * HASH_BYTES > ASSET_NAME)
		return -1;
	for (size_t i = 0; i < KINDS; i++)
		if (ends(name, n, kinds[i].suffix))
			return (int)i;
	return -1;
}

bool
asset_file(const char *name)
{
	size_t n = strlen(name);

	if (ends(name, n, ".gz") || ends(name, n, ".br"))
		n -= 3;
	return kind_of(name, n) >= 0;
}

int
asset_read(const char *path, struct buf *b, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[8192];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(b, part, (size_t)n);
	if (n < 0)
		return err_set(e, ERR_INVALID, "%s: %s", path, strerror(errno));
	return buf_failed(b) ? err_set(e, ERR_INVALID,
				   "%s: longer than %zu bytes", path, b->max)
	                     : 0;
}

/* What the build has compressed, where it has. */
static void
read_form(struct asset *a, const char *dir, const char *suffix,
    struct asset_form *out)
{
	char *path = mem_printf(a, "%s/%s%s", dir, a->name, suffix);
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, a, ASSET_MAX);
	if (asset_read(path, &b, &e) == 0)
		*out = (struct asset_form){ b.data, b.len };
	else
		buf_free(&b);
	mem_free(path);
}

/* "tabler_min_css" of "tabler.min.css" */
static void
name_member(json_t *names, const char *file, const char *name)
{
	char key[ASSET_NAME];

	snprintf(key, sizeof(key), "%s", file);
	for (char *p = key; *p != '\0'; p++)
		if (*p == '.' || *p == '-')
			*p = '_';
	json_object_set_new(names, key, json_sprintf("/assets/%s", name));
}

static int
load_one(const void *ctx, const char *dir, const char *file, int kind,
    struct asset **list, json_t *names, struct err *e)
{
	size_t stem = strlen(file) - strlen(kinds[kind].suffix);
	struct asset *a = mem_new(ctx, struct asset);
	char *path = mem_printf(a, "%s/%s", dir, file);
	unsigned char hash[32];
	char hex[2 * HASH_BYTES + 1];
	struct buf b;

	buf_init(&b, a, ASSET_MAX);
	if (asset_read(path, &b, e) != 0)
		return -1;
	crypto_sha256(b.data != NULL ? b.data : "", b.len, hash);
	str_hex(hash, HASH_BYTES, hex);
	snprintf(a->name, sizeof(a->name), "%.*s-%s%s", (int)stem, file, hex,
	    kinds[kind].suffix);
	a->type = kinds[kind].type;
	a->plain = (struct asset_form){ b.data != NULL ? b.data : "", b.len };
	read_form(a, dir, ".gz", &a->gzip);
	read_form(a, dir, ".br", &a->br);
	name_member(names, file, a->name);
	a->next = *list;
	*list = a;
	return 0;
}

int
assets_load(const void *ctx, const char *dir, struct asset **ret, json_t *names,
    struct err *e)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int rc = 0, kind;

	*ret = NULL;
	if (d == NULL)
		return err_set(e, ERR_INVALID, "%s: %s", dir, strerror(errno));
	while (rc == 0 && (entry = readdir(d)) != NULL) {
		kind = kind_of(entry->d_name, strlen(entry->d_name));
		if (kind >= 0)
			rc = load_one(
			    ctx, dir, entry->d_name, kind, ret, names, e);
	}
	(void)closedir(d);
	return rc;
}

const struct asset *
assets_find(const struct asset *a, const char *name)
{
	while (a != NULL && strcmp(a->name, name) != 0)
		a = a->next;
	return a;
}
