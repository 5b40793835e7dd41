/*
 * Small fixed sizes come from here: these functions never return NULL; when
 * memory is gone they stop the process and the master starts another.  Sizes
 * that come from outside go through util/buf.h, which has a limit.
 */
#ifndef UTIL_MEM_H
#define UTIL_MEM_H

#include <stddef.h>
#include <talloc.h>

/* Zeroed memory for one ${type} below the talloc context ${ctx}. */
#define mem_new(ctx, type) ((type *)mem_zalloc((ctx), sizeof(type), #type))

/* A zeroed array of ${n} ${type}; stops the process if n * size overflows. */
#define mem_array(ctx, type, n)                                                \
	((type *)mem_zalloc_array((ctx), sizeof(type), (n), #type))

void *mem_zalloc(const void *ctx, size_t size, const char *name);
void *mem_zalloc_array(
    const void *ctx, size_t size, size_t n, const char *name);
char *mem_strdup(const void *ctx, const char *s); /* NULL gives NULL */
char *mem_strndup(const void *ctx, const char *s, size_t n); /* adds a NUL */
char *mem_printf(const void *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A new top-level context; a request has one, freed at its end. */
void *mem_root(const char *name);
/* A new context below ${ctx}, to be freed before it. */
void *mem_branch(const void *ctx, const char *name);
/* Free a context and all below it; NULL does nothing. */
void mem_free(void *ctx);
/* malloc() for libraries that would go on without what there was no memory
 * for; freed with free(). */
void *mem_malloc(size_t n);

#endif
