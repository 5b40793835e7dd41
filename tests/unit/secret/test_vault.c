/* Sealing and opening with a real database; exchanging the master key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>

#include "crypto/hash.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "secret/data_key.h"
#include "secret/rotate.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define ONE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TWO "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"
#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define OTHER "0190a000-0000-7000-8000-0000000000b0"
#define MANY 10000
#define THREADS 8

static const char canary[] = "JBSWY3DPEHPK3PXP-canary";
static char dir[] = "/tmp/sb-test-vault-XXXXXX", file[64];
static struct db_pool *pool;
static struct vault *vault;
static struct secret_place here;

static int64_t
soon(void)
{
	return clock_mono() + 60 * CLOCK_S;
}

static void
put(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, 0600), 0);
}

static unsigned char *
seal(struct vault *v, const struct secret_place *p)
{
	unsigned char *sealed = NULL;
	struct err e = { 0 };

	if (secret_seal(
		v, p, canary, sizeof(canary), soon(), NULL, &sealed, &e) != 0)
		fail_msg("%s", e.text);
	return sealed;
}

/* Opening gives the canary, or fails with ${code}. */
static void
expect(struct vault *v, const struct secret_place *p,
    const unsigned char *sealed, size_t len, enum err_code code)
{
	struct secret *s = NULL;
	struct err e = { 0 };
	int rc = secret_open(v, p, sealed, len, soon(), &s, &e);

	if (code == ERR_NONE) {
		if (rc != 0)
			fail_msg("%s", e.text);
		assert_int_equal(secret_len(s), sizeof(canary));
		assert_memory_equal(secret_bytes(s), canary, sizeof(canary));
		secret_free(s);
		return;
	}
	assert_int_equal(rc, -1);
	assert_int_equal(e.code, code);
	assert_null(s);
	assert_null(strstr(e.text, "canary"));
}

#define SEALED (sizeof(canary) + SECRET_MORE)

static void
test_places(void **state)
{
	struct secret_place other = here;
	unsigned char *sealed = seal(vault, &here), *theirs;

	(void)state;
	expect(vault, &here, sealed, SEALED, ERR_NONE);
	/* F4: a row of another account, another row, purpose, older version */
	assert_int_equal(id_parse(OTHER, 36, &other.account), 0);
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	theirs = seal(vault, &other);
	expect(vault, &other, theirs, SEALED, ERR_NONE);
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	expect(vault, &here, theirs, SEALED, ERR_INVALID);
	other = here;
	other.row.b[3] ^= 1;
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	other = here;
	other.purpose = "tot";
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	other.purpose = "";
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	other = here;
	other.version++;
	expect(vault, &other, sealed, SEALED, ERR_INVALID);
	for (size_t n = 0; n < SEALED; n++)
		expect(vault, &here, sealed, n, ERR_INVALID);
	for (size_t i = 0; i < 8 * SEALED; i++) {
		sealed[i / 8] ^= (unsigned char)(1 << i % 8);
		expect(vault, &here, sealed, SEALED, ERR_INVALID);
		sealed[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	expect(vault, &here, sealed, SEALED, ERR_NONE);
	mem_free(sealed);
	mem_free(theirs);
}

/* Another process, and one without a database: what is cached opens. */
static void
test_cache(void **state)
{
	struct db_pool *away = dbfix_away();
	struct vault *fresh = vault_new(pool, file), *blind;
	unsigned char *sealed = seal(vault, &here);

	(void)state;
	expect(fresh, &here, sealed, SEALED, ERR_NONE);
	vault_free(fresh);
	blind = vault_new(away, file);
	expect(blind, &here, sealed, SEALED, ERR_UNAVAILABLE);
	vault_free(blind);
	db_pool_free(away);
	dbfix_sql("ALTER TABLE control.data_keys RENAME TO gone");
	expect(vault, &here, sealed, SEALED, ERR_NONE);
	dbfix_sql("ALTER TABLE control.gone RENAME TO data_keys");
	mem_free(sealed);
}

static struct secret_place new_place;

static void *
seal_first(void *arg)
{
	struct vault *own = vault_new(pool, file);

	(void)arg;
	unsigned char *sealed = seal(own, &new_place);

	vault_free(own);
	return sealed;
}

/* All of them need the first data key of an account at once. */
static void
test_first(void **state)
{
	pthread_t thread[THREADS];
	void *sealed;

	(void)state;
	new_place = here;
	id_new(&new_place.account);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, seal_first, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &sealed);
		expect(vault, &new_place, sealed, SEALED, ERR_NONE);
		mem_free(sealed);
	}
}

/* Nothing of it is in the database, and row security holds. */
static void
test_stored(void **state)
{
	char *all = dbfix_text("SELECT string_agg(d::text, ' ') FROM "
			       "control.data_keys d");

	(void)state;
	assert_null(strstr(all, "canary"));
	assert_null(strstr(all, ONE));
	mem_free(all);
	assert_int_equal(
	    dbfix_number("SELECT (count(DISTINCT wrapped) = count(*) AND "
			 "count(*) >= 3)::int FROM control.data_keys"),
	    1);
}

/* A wrong master key, and a row that somebody changed, are named. */
static void
test_check(void **state)
{
	struct vault *v;
	unsigned char *sealed;
	struct err e = { 0 };
	int64_t n = 0;

	(void)state;
	if (vault_check(vault, true, soon(), &n, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(
	    n, dbfix_number("SELECT count(*) FROM control.data_keys"));
	assert_int_equal(dbfix_number("SELECT count(*) FROM control.data_keys "
				      "WHERE account_id = '00000000-0000-0000-"
				      "0000-000000000000'"),
	    1);
	sealed = seal(vault, &here);
	put(TWO);
	v = vault_new(pool, file);
	assert_int_equal(vault_check(v, false, soon(), &n, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_non_null(strstr(e.text, "put it back"));
	assert_null(strstr(e.text, "0102030405"));
	expect(v, &here, sealed, SEALED, ERR_INTERNAL);
	mem_free(sealed);
	vault_free(v);
	put(ONE);
	dbfix_sql(
	    "UPDATE control.data_keys SET wrapped = set_byte(wrapped, "
	    "40, get_byte(wrapped, 40) # 1) WHERE account_id = '" OTHER "'");
	v = vault_new(pool, file);
	assert_int_equal(vault_check(v, false, soon(), &n, &e), -1);
	assert_non_null(strstr(e.text, OTHER));
	vault_free(v);
	dbfix_sql(
	    "UPDATE control.data_keys SET wrapped = set_byte(wrapped, "
	    "40, get_byte(wrapped, 40) # 1) WHERE account_id = '" OTHER "'");
	/* a data key under another account's name does not open either */
	dbfix_sql("UPDATE control.data_keys SET version = 2 WHERE account_id "
		  "= '" OTHER "'");
	v = vault_new(pool, file);
	assert_int_equal(vault_check(v, false, soon(), &n, &e), -1);
	vault_free(v);
	dbfix_sql("UPDATE control.data_keys SET version = 1 WHERE account_id "
		  "= '" OTHER "'");
}

static struct db_pool *owner;

static struct keyring *
ring(void)
{
	struct keyring *k = NULL;
	struct err e = { 0 };

	if (keyring_read(file, &k, &e) != 0)
		fail_msg("%s", e.text);
	return k;
}

/* Data keys of many accounts, as the program makes them. */
static void
fill(void)
{
	struct keyring *k = ring();
	FILE *f;
	char *text = NULL;
	size_t size;

	f = open_memstream(&text, &size);
	fputs("INSERT INTO control.data_keys (account_id, version, master_id, "
	      "wrapped) VALUES ",
	    f);
	for (int i = 0; i < MANY; i++) {
		unsigned char key[ENVELOPE_KEY];
		struct data_key d = { .version = 1 };
		char id[UUID_TEXT];

		id_new(&d.account);
		id_random(key, sizeof(key));
		data_key_wrap(&d, k, 0, key);
		id_format(&d.account, id);
		fprintf(f, "%s('%s',1,'%s','\\x", i > 0 ? "," : "", id,
		    d.master_id);
		for (size_t b = 0; b < sizeof(d.wrapped); b++)
			fprintf(f, "%02x", d.wrapped[b]);
		fputs("')", f);
	}
	fclose(f);
	dbfix_sql(text);
	free(text);
	keyring_free(k);
}

static int64_t
left_over(void)
{
	struct keyring *k = ring();
	int64_t count[KEYRING_MOST], strange = -1;
	struct err e = { 0 };

	if (rotate_count(owner, k, count, &strange, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(strange, 0);
	keyring_free(k);
	return count[1] + count[2] + count[3];
}

/* In a process of its own, killed when some rows are done. */
static void
rotate_killed(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct db_opts o = { .conninfo = dbfix_conninfo(),
			.user = "sb_owner",
			.size = 1,
			.wait_ms = 5000,
			.connect_ms = 5000,
			.statement_ms = 60000 };
		struct keyring *k = NULL;
		int64_t done;

		if (keyring_read(file, &k, NULL) == 0)
			(void)rotate_run(db_pool_new(&o), k, &done, NULL);
		_exit(0);
	}
	while (left_over() > MANY * 3 / 4)
		continue;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* F3: 10,000 data keys sealed anew in a minute, ended by a kill -9 and begun
 * again, while others seal and open; then the old master key can go. */
static void
test_rotate(void **state)
{
	unsigned char *before = seal(vault, &here), *after;
	int64_t started, done = 0, n;
	struct vault *late;
	struct keyring *k;
	struct err e = { 0 };
	struct db_opts o = { .conninfo = dbfix_conninfo(),
		.user = "sb_owner",
		.size = 1,
		.wait_ms = 5000,
		.connect_ms = 5000,
		.statement_ms = 60000 };

	(void)state;
	owner = db_pool_new(&o);
	fill();
	assert_int_equal(left_over(), 0);
	assert_int_equal(keyring_add(file, &e), 0);
	assert_true(left_over() >= MANY);
	rotate_killed();
	assert_true(left_over() > 0);
	/* in between everything opens, also for who knew the old key only */
	expect(vault, &here, before, SEALED, ERR_NONE);
	late = vault_new(pool, file);
	if (vault_check(late, false, soon(), &n, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(n > MANY);
	vault_free(late);

	k = ring();
	started = clock_mono();
	if (rotate_run(owner, k, &done, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(clock_mono() - started < 60 * CLOCK_S);
	assert_true(done > 0 && done < n);
	assert_int_equal(left_over(), 0);
	assert_int_equal(keyring_keep(k, 1, &e), 0);
	keyring_free(k);
	late = vault_new(pool, file);
	expect(late, &here, before, SEALED, ERR_NONE);
	vault_free(late);
	/* the vault that has been there all the time */
	id_new(&new_place.account);
	after = seal(vault, &new_place);
	expect(vault, &new_place, after, SEALED, ERR_NONE);
	assert_int_equal(left_over(), 0);
	if (vault_check(vault, true, soon(), &n, &e) != 0)
		fail_msg("%s", e.text);
	db_pool_free(owner);
	mem_free(before);
	mem_free(after);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || crypto_setup(NULL) != 0)
		return -1;
	snprintf(file, sizeof(file), "%s/master.key", dir);
	put(ONE);
	pool = dbfix_open("sb_admin");
	vault = vault_new(pool, file);
	assert_int_equal(id_parse(ACME, 36, &here.account), 0);
	id_new(&here.row);
	here.purpose = "totp";
	here.version = 7;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	vault_free(vault);
	dbfix_close();
	unlink(file);
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_rotate),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
