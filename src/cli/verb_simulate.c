/* switchboard simulate: a model provider to try against. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "simulate/simulate.h"
#include "util/str.h"

#include "util/banned.h"

static const struct out_col word_cols[] = { { "word", "WORD" },
	{ "does", "WHAT IT DOES" }, { NULL, NULL } };

/* A whole number of an option, ${def} without it. */
static int
number(struct cli *c, const char *name, int64_t min, int64_t max, int64_t def,
    int64_t *ret, struct err *e)
{
	const char *text = cli_opt(c, name);

	*ret = def;
	if (text == NULL || str_int(text, min, max, ret) == 0)
		return 0;
	return cli_misuse(c, e, "--%s: a number from %lld to %lld", name,
	    (long long)min, (long long)max);
}

static int
words(struct cli *c)
{
	json_t *list = json_array();
	const char *name, *help;

	for (size_t i = 0; simulate_word(i, &name, &help); i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "word", name, "does", help));
	return out_list(c, list, word_cols);
}

static int
scripts(struct cli *c, struct err *e)
{
	const char *text;
	int i = 0;

	while ((text = cli_opt_next(c, "key", &i)) != NULL) {
		/* A plan has no "=", a key may. */
		const char *eq = strrchr(text, '=');

		if (eq == NULL || eq == text)
			return cli_misuse(
			    c, e, "--key wants KEY=PLAN, not %s", text);
		if (simulate_script(text, (size_t)(eq - text), eq + 1, e) != 0)
			return cli_misuse(c, e,
			    "--key: \"%s\" is no plan for a key; --words lists "
			    "what one is made of",
			    eq + 1);
	}
	return 0;
}

/* The one line that says where: whoever started it waits for that. */
static void
listening(void *arg, int port)
{
	const struct cli *c = arg;

	printf(c->json ? "{\"port\": %d}\n" : "port %d\n", port);
	fflush(stdout);
}

int
verb_simulate_llm(struct cli *c, struct err *e)
{
	struct simulate_opts o = { .address = cli_opt(c, "address"),
		.forget = cli_flag(c, "forget") };
	int64_t port, threads;

	if (cli_flag(c, "words"))
		return words(c);
	if (o.address == NULL)
		o.address = "127.0.0.1";
	if (number(c, "port", 0, 65535, 0, &port, e) != 0 ||
	    number(c, "threads", 1, SIMULATE_THREADS, 1, &threads, e) != 0 ||
	    number(c, "rpm", 0, INT32_MAX, 0, &o.rpm, e) != 0 ||
	    number(c, "tpm", 0, INT32_MAX, 0, &o.tpm, e) != 0 ||
	    number(c, "itpm", 0, INT32_MAX, 0, &o.itpm, e) != 0 ||
	    scripts(c, e) != 0)
		return -1;
	o.port = (int)port;
	o.threads = (int)threads;
	return simulate_llm(&o, listening, c, e);
}
