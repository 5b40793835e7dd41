/*
 * A start that cannot come to anything ends at once, with a message for the
 * one who typed the command; what time may mend is left to time.
 */
#include "daemon/check.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/template.h"
#include "auth/session_key.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "daemon/keep.h"
#include "daemon/mailbox.h"
#include "daemon/sockets.h"
#include "daemon/title.h"
#include "db/db.h"
#include "db/migrate.h"
#include "net/egress.h"
#include "page/pages.h"
#include "secret/secret.h"
#include "sso/front.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define PATIENCE (15 * CLOCK_S)
#define CHECK_MS 10000
enum { VERDICT_GOOD, VERDICT_AWAY, VERDICT_BAD };

static void
print_reason(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static int
egress_check(const struct conf *c, struct err *e)
{
	struct egress *g = egress_new(NULL, c->egress_allow, e);

	mem_free(g);
	return g != NULL ? 0 : -1;
}

static int
pages_check(const struct conf *c, struct err *e)
{
	struct pages *p;

	if (pages_load(c->page_templates_dir, &p, e) != 0)
		return -1;
	pages_free(p);
	return 0;
}

int
check_files(const struct conf *c)
{
	struct err e = { 0 };
	int bad = 0;

	if (sockets_check(c, &e) != 0) {
		fprintf(stderr, "%s: %s\n", c->file, e.text);
		bad++;
	}
	json_setup();
	if (crypto_setup(&e) != 0 ||
	    session_key_setup(c->master_key_file, &e) != 0) {
		fprintf(stderr, "%s: master_key_file: %s\n", c->file, e.text);
		bad++;
	}
	if (egress_check(c, &e) != 0) {
		fprintf(stderr, "%s: egress_allow: %s\n", c->file, e.text);
		bad++;
	}
	if (front_check(c->front_sso_secret_file, &e) != 0) {
		fprintf(stderr, "%s: %s\n", c->file, e.text);
		bad++;
	}
	if (mailbox_check(c, &e) != 0) {
		fprintf(stderr, "%s: %s\n", c->file, e.text);
		bad++;
	}
	if (pages_check(c, &e) != 0) {
		fprintf(
		    stderr, "%s: page_templates_dir: %s\n", c->file, e.text);
		bad++;
	}
	if (keep_check(c, print_reason, NULL) != 0)
		bad++;
	return bad == 0 ? 0 : -1;
}

/* Does everything open with the master key that is here?  0 or -1; a database
 * that is away says nothing against it. */
static int
secrets_open(const struct conf *c, struct err *e)
{
	struct db_opts o = { .conninfo = c->database_url,
		.user = "sb_admin",
		.size = 1,
		.wait_ms = CHECK_MS,
		.connect_ms = CHECK_MS,
		.statement_ms = CHECK_MS,
		.pooler = true };
	struct db_pool *db = db_pool_new(&o);
	struct vault *v = vault_new(db, c->master_key_file);
	int64_t n;
	int rc =
	    vault_check(v, true, clock_mono() + CHECK_MS * CLOCK_MS, &n, e);

	vault_free(v);
	db_pool_free(db);
	return rc;
}

/* In the child. */
static int
verdict(const struct conf *c)
{
	struct templates *t = NULL;
	struct err e = { 0 };

	json_setup();
	if (crypto_setup(&e) != 0 ||
	    session_key_setup(c->master_key_file, &e) != 0 ||
	    egress_check(c, &e) != 0 || mailbox_check(c, &e) != 0 ||
	    pages_check(c, &e) != 0 || keep_templates(c, &t, &e) != 0) {
		fprintf(stderr, "switchboardd: %s\n", e.text);
		return VERDICT_BAD;
	}
	templates_free(t); /* they were only to be found good */
	if (migrate_check(c->database_url, "sb_chat", &e) == 0 &&
	    secrets_open(c, &e) == 0)
		return VERDICT_GOOD;
	if (e.code == ERR_UNAVAILABLE || e.code == ERR_TIMEOUT) {
		log_event(LOG_WARN, "database_away", "error", e.text, NULL);
		return VERDICT_AWAY;
	}
	fprintf(stderr, "switchboardd: %s\n", e.text);
	return VERDICT_BAD;
}

/* Wait for the child, but not for ever: a database that accepts and then says
 * nothing is away too. */
static int
verdict_wait(pid_t pid)
{
	int64_t until = clock_mono() + PATIENCE;
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		if (clock_mono() > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return VERDICT_AWAY;
		}
		poll(NULL, 0, 10);
	}
	return got == pid && WIFEXITED(status) ? WEXITSTATUS(status)
	                                       : VERDICT_BAD;
}

int
check_start(const struct conf *c)
{
	pid_t pid = fork();

	if (pid < 0) {
		fprintf(stderr, "switchboardd: cannot fork\n");
		return -1;
	}
	if (pid == 0) {
		title_set("start check");
		_exit(verdict(c));
	}
	switch (verdict_wait(pid)) {
	case VERDICT_GOOD:
	case VERDICT_AWAY:
		return 0;
	default:
		return -1;
	}
}
