/*
 * dbtemp: a fresh, migrated database for a script.
 *
 *	eval "$(tests/lib/dbtemp)"		exports SB_TEST_DB, a conninfo
 *						to which a script adds user=
 *	tests/lib/dbtemp drop "$SB_TEST_DB"
 */
#include <stdio.h>
#include <string.h>

#include "lib/dbtemp.h"

#include "util/mem.h"

#include "util/banned.h"

int
main(int argc, char **argv)
{
	char *conninfo;

	if (!dbtemp_there())
		return 1;
	if (argc == 3 && !strcmp(argv[1], "drop")) {
		dbtemp_drop(mem_strdup(NULL, argv[2]));
		return 0;
	}
	if (argc != 1) {
		fputs("usage: dbtemp [drop CONNINFO]\n", stderr);
		return 2;
	}
	conninfo = dbtemp_new();
	printf("export SB_TEST_DB='%s'\n", conninfo);
	mem_free(conninfo);
	return 0;
}
