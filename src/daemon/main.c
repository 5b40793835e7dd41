/* switchboardd: options, then the master. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "daemon/check.h"
#include "daemon/master.h"
#include "daemon/title.h"
#include "secret/keyring.h"
#include "util/err.h"
#include "util/mem.h"

#include "util/banned.h"

static const char usage_text[] =
    "usage: switchboardd [-t] [-c FILE]\n"
    "  -c, --config FILE  configuration; else SB_CONF, else the installed one\n"
    "  -t, --test         check the configuration and exit: 0 good, 1 not\n"
    "  -V, --version      say which version this is\n"
    "  -h, --help         this text\n"
    "Runs in the foreground.  SIGHUP reads the configuration again, SIGTERM\n"
    "finishes what runs and ends, SIGUSR1 opens the logs again.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "test", no_argument, NULL, 't' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int
main(int argc, char **argv)
{
	const struct conf *conf = NULL;
	const char *given = NULL;
	struct err e = { 0 };
	int opt, rc, test = 0;

	while ((opt = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			given = optarg;
			break;
		case 't':
			test = 1;
			break;
		case 'V':
			printf("switchboardd %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs(usage_text, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "switchboardd: what is %s?\n", argv[optind]);
		fputs(usage_text, stderr);
		return 2;
	}
	if (conf_read(NULL, conf_path(given), &conf, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (test) {
		keyring_given(getenv("SB_MASTER_KEY"));
		rc = check_files(conf) == 0 ? 0 : 1;
		if (rc == 0)
			printf("%s: good\n", conf->file);
	} else {
		title_setup(argc, argv);
		keyring_given(title_provider("SB_MASTER_KEY"));
		rc = master_run(conf);
	}
	mem_free((void *)(uintptr_t)conf);
	return rc;
}
