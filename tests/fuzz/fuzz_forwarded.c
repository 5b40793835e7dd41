/* X-Forwarded-For: the client is always an address, and never one that only
 * an untrusted hop has named. */
#include "fuzz_http.h"

#include "http/address.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const trusted[] = { "127.0.0.1", "10.0.0.0/8",
	"2001:db8::/33", NULL };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_http f;
	struct address a;
	const char *client, *remote;
	char text[ADDRESS_TEXT];

	fuzz_open(&f, data, size);
	client = http_client_address(f.req, trusted);
	if (*client != '\0') {
		if (!address_parse(client, strlen(client), &a))
			abort();
		address_format(&a, text);
		if (strcmp(text, client) != 0)
			abort();
	}
	remote = http_param(f.req, "REMOTE_ADDR");
	if (remote != NULL && address_parse(remote, strlen(remote), &a) &&
	    !http_address_in(remote, trusted)) {
		address_format(&a, text);
		if (strcmp(text, client) != 0)
			abort();
	}
	/* the configuration's side: networks as somebody wrote them */
	for (int i = 0; i < f.req->nparams; i++)
		(void)http_address_in("10.1.2.3",
		    (const char *[]){ f.req->params[i].value, NULL });
	fuzz_close(&f);
	return 0;
}
