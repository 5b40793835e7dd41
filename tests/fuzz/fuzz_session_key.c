/* Texts that claim to be session keys, names or keys: none is believed, and
 * peek and make agree on the form. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/key.h"
#include "auth/session_key.h"
#include "crypto/hash.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys derive from a master key, which stands in a file. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char file[] = "/tmp/sb-fuzz-key-XXXXXX";
	int fd = mkstemp(file), rc = -1;

	(void)argc;
	(void)argv;
	if (fd >= 0 && dprintf(fd, "%064d\n", 7) == 65 &&
	    crypto_setup(NULL) == 0)
		rc = session_key_setup(file, NULL);
	if (fd >= 0) {
		close(fd);
		unlink(file);
	}
	if (rc != 0)
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup(NULL, (const char *)data, size);
	static const struct uuid account = { { 1, 2, 3 } };
	char again[SESSION_KEY_TEXT];
	struct uuid session, proven;

	if (session_key_peek(text, &session)) {
		if (!session_name_ok(text))
			abort();
		session_key_make(&account, &session, NULL, again);
		if (strlen(again) != strlen(text))
			abort();
		if (session_key_check(text, &account, NULL, &proven) !=
		    (strcmp(again, text) == 0))
			abort();
	} else if (session_key_check(text, &account, NULL, &proven))
		abort();
	if (key_well_formed(KEY_API, text) && key_well_formed(KEY_WIDGET, text))
		abort();
	mem_free(text);
	return 0;
}
