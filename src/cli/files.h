/* Files that hold secrets or must not be half written; where installed ones
 * are. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

/* Write ${path} as a whole (a new file beside it, then renamed), with
 * ${mode}. */
int files_write(
    const char *path, const char *text, size_t len, mode_t mode, struct err *);
bool files_exist(const char *path);
/* mkdir -p for the last part only; an existing directory is good. */
int files_mkdir(const char *path, mode_t mode, struct err *);
/* Give ${path} to a user; (uid_t)-1: leave it. */
int files_give(const char *path, uid_t uid, gid_t gid, struct err *);
/* Make the folder ${to} with copies of the files in ${from}, mode 0640, given
 * to a user as above. */
int files_copy(
    const char *from, const char *to, uid_t uid, gid_t gid, struct err *);

/*
 * Where the installed data is (sql, agent_templates, demo), below ctx.  A
 * program that was installed below a DESTDIR and runs from there finds what
 * was installed with it, not what the machine has.
 */
char *files_data(const void *ctx);

#endif
