/* The mail server: everything up to a message, as the job worker would. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "net/smtp.h"
#include "util/auto.h"
#include "util/clock.h"

#include "util/banned.h"

#define CHECK "mail server"
#define PATIENCE (10 * CLOCK_S)
#define PASSWORD_MAX 1024

/* The first line of mail_password_file; false: it cannot be read. */
static bool
read_password(const char *file, char out[PASSWORD_MAX])
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, PASSWORD_MAX - 1) : -1;

	if (n < 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static void
look(struct exam *x, const char *password)
{
	const struct conf *c = x->conf;
	const struct smtp_call call = { .url = c->mail_url,
		.user = c->mail_user,
		.password = password,
		.deadline = clock_mono() + PATIENCE };
	struct err e = { 0 };

	if (smtp_setup(&e) != 0 || smtp_look(&call, &e) != 0)
		exam_fail(x, CHECK,
		    "see to mail_url, mail_user and mail_password_file, and "
		    "to the server they lead to: no invitation and no link "
		    "goes out",
		    "%s: %s", c->mail_url, e.text);
	else
		exam_ok(x, CHECK, "%s takes mail%s%s", c->mail_url,
		    *c->mail_user != '\0' ? " from " : "", c->mail_user);
}

void
exam_mail(struct exam *x)
{
	const struct conf *c = x->conf;
	char password[PASSWORD_MAX] = "";
	struct err e = { 0 };

	if (*c->mail_url == '\0') {
		exam_ok(x, CHECK,
		    "none: messages become files in %s/mail (mail_url)",
		    c->run_dir);
		return;
	}
	if (smtp_check_url(c->mail_url, &e) != 0) {
		exam_fail(
		    x, CHECK, "set mail_url to smtp://host:587", "%s", e.text);
		return;
	}
	if (*c->mail_user != '\0' &&
	    !read_password(c->mail_password_file, password)) {
		exam_fail(x, CHECK, "make it readable for the server's user",
		    "mail_password_file %s: %s", c->mail_password_file,
		    strerror(errno));
		return;
	}
	look(x, password);
	crypto_wipe(password, sizeof(password));
}
