/* The agent templates of a process, and the last good copy of each. */
#ifndef DAEMON_KEEP_H
#define DAEMON_KEEP_H

#include "util/err.h"

struct conf;
struct templates;

/*
 * Load conf->templates_dir; in place of a bad file the copy that was accepted
 * before, on this machine, since it came up (run_dir/templates); accepted files
 * are copied there.  What is refused is logged.  0, or -1 when there is no
 * template at all.
 */
int keep_templates(const struct conf *, struct templates **ret, struct err *e);

/* Is every file of conf->templates_dir good?  Each reason goes to
 * ${report}(arg, text).  0 or -1. */
int keep_check(const struct conf *, void (*report)(void *arg, const char *text),
    void *arg);

struct pages;
/* The pages' templates: those of the configuration or, when they are broken,
 * those that were last good on this host.  0, or -1: there are none.  For
 * workers; said in the log. */
int keep_pages(const struct conf *, struct pages **ret, struct err *e);

#endif
