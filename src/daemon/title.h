/*
 * What others see of a process through /proc: its command line says what it
 * is, and its environment is gone from the memory the kernel shows.
 */
#ifndef DAEMON_TITLE_H
#define DAEMON_TITLE_H

/*
 * Take over the memory of argv and the environment.  The environment moves to
 * private memory (getenv() goes on working) and its old place is wiped; so are
 * the provider variables, which only title_provider() gives from then on.
 * Once, at the start of main(), before threads.
 */
void title_setup(int argc, char **argv);
/* What ${name} (OPENAI_API_KEY ...) was set to, or NULL; "" counts as unset. */
const char *title_provider(const char *name);
/* "switchboardd: ${what}" as the command line. */
void title_set(const char *what);

#endif
