/*
 * The program "switchboard": find the verb, read its command line, run it.
 * Exit status 0 done, 1 failed, 2 wrong usage.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "secret/keyring.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define EXIT_USAGE 2

/* The first two words of the command line; options and -c's file are none.
 * Options stand after the verb, so that an option's value is no word. */
static void
first_words(int argc, char **argv, const char *word[2])
{
	int n = 0;

	word[0] = word[1] = NULL;
	for (int i = 1; i < argc && n < 2; i++) {
		if (strcmp(argv[i], "-c") == 0)
			i++;
		else if (argv[i][0] != '-')
			word[n++] = argv[i];
	}
}

static bool
asks(int argc, char **argv, const char *a, const char *b)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], a) == 0 ||
		    (b != NULL && strcmp(argv[i], b) == 0))
			return true;
	return false;
}

/* No verb was found: help if it was asked for, else what is wrong. */
static int
no_verb(int argc, char **argv, const char *const word[2])
{
	const char *group =
		       word[0] != NULL && verbs_group(word[0]) ? word[0] : NULL,
		   *near;

	if (word[0] == NULL && asks(argc, argv, "--version", NULL)) {
		puts("switchboard " VERSION);
		return 0;
	}
	if ((word[0] == NULL || strcmp(word[0], "help") == 0 ||
		(group != NULL && word[1] == NULL)) &&
	    (asks(argc, argv, "--help", "-h") ||
		(word[0] != NULL && group == NULL))) {
		verbs_write_list(stdout, group);
		return 0;
	}
	near = verbs_nearest(word[0], group != NULL ? word[1] : NULL);
	fputs("switchboard", stderr);
	if (group != NULL)
		fprintf(stderr, " %s", group);
	if (word[0] == NULL || (group != NULL && word[1] == NULL))
		fputs(": no verb given\n", stderr);
	else
		fprintf(stderr, ": no verb \"%s\"%s%s%s\n",
		    group != NULL ? word[1] : word[0],
		    near != NULL ? "; did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	/* Where the one that was meant is named, the others are in the way. */
	if (near == NULL)
		verbs_write_list(stderr, group);
	return EXIT_USAGE;
}

static int
run(struct cli *c, int argc, char **argv, int skip)
{
	struct err e = { 0 };

	if (cli_parse(c, argc, argv, skip, &e) != 0) {
		out_error(c, &e);
		return EXIT_USAGE;
	}
	if (c->help) {
		verbs_write_help(stdout, c->verb);
		return 0;
	}
	if (crypto_setup(&e) != 0 || c->verb->run(c, &e) != 0) {
		if (!c->silent)
			out_error(c, &e);
		return c->misused ? EXIT_USAGE : 1;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("switchboard: standard output");
		return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct cli c = { 0 };
	const char *word[2];
	int skip = 0, rc;

	setlocale(LC_CTYPE, "");
	json_setup();
	keyring_given(getenv("SB_MASTER_KEY"));
	first_words(argc, argv, word);
	if (word[0] != NULL)
		c.verb = verbs_find(word[0], word[1], &skip);
	if (c.verb == NULL)
		return no_verb(argc, argv, word);
	c.ctx = mem_root("switchboard");
	rc = run(&c, argc, argv, skip);
	json_decref(c.errors);
	db_pool_free(c.db);
	mem_free(c.ctx);
	return rc;
}
