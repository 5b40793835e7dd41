/* What stands around every page of the console. */
#ifndef API_CONSOLE_SHELL_H
#define API_CONSOLE_SHELL_H

#include "page/pages.h"

struct app;
struct console;
struct http_req;

/* The reader's language: chosen by her, else what her browser asks for. */
enum pages_lang shell_lang(struct app *, const struct http_req *);
/* Add the texts, where one may go, the account, who one is, light or dark. */
void shell_complete(struct console *);

#endif
