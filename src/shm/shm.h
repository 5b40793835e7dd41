/*
 * Memory that all processes share: mapped by the master before the first
 * fork, never resized.  Untouched pages cost nothing, so tables are plain
 * arrays by slot, as large as they could ever be.
 */
#ifndef SHM_SHM_H
#define SHM_SHM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A zeroed shared anonymous mapping (no reserve, no core); stops the process
 * when there is none. */
void *shm_map(size_t bytes);

#endif
