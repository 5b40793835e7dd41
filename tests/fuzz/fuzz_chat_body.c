/* Bodies of chat requests: any JSON is taken or refused field by field. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/chat_body.h"
#include "chat/turn.h"
#include "util/json.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body, *errors = NULL;
	const char *comment;
	bool stream;
	int rating;

	if (json_parse((const char *)data, size, &JSON_LIMITS_REQUEST, &body,
		NULL) < 0)
		return 0;
	for (int widget = 0; widget < 2; widget++) {
		struct chat_ask ask = { .stream = false };

		if (chat_body_read(body, 1024, widget, &ask, &stream, &errors) <
		    0) {
			if (json_array_size(errors) == 0)
				abort();
			json_decref(errors);
		} else if (!ask.message || ask.message_len == 0 ||
			   ask.message_len > 1024) {
			abort();
		}
	}
	if (feedback_body_read(body, &rating, &comment, &errors) < 0)
		json_decref(errors);
	else if (rating != 1 && rating != -1)
		abort();
	json_decref(body);
	return 0;
}
