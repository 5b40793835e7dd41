/* Files that hold secrets or must not be half written. */
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

#endif
