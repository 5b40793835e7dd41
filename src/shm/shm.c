/* Memory that all processes share. */
#include "shm/shm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "util/banned.h"

void *
shm_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("switchboard: cannot map shared memory");
		abort();
	}
	/* Mostly untouched pages: a core file would be huge for nothing. */
	(void)madvise(p, bytes, MADV_DONTDUMP);
	return p;
}
