/*
 * The restorer's own memory in a restored process: a private mapping that starts with this magic
 * and its own address, and, up to `size`, a shared one. It cannot unmap the code it runs on, so it
 * stays (no content that matters); a checkpoint recognizes it and leaves it out.
 */
#ifndef JSNAP_BASE_REGION_H
#define JSNAP_BASE_REGION_H

#include <stdint.h>

#define REGION_MAGIC 0x31676e727473726aull /* "jrstrng1" */

#define REGION_MAPPINGS 16 /* beside the program's, at most, while it is restored */

#define REGION_NAMESPACES 4 /* that a restore may make: REGION_NAMESPACE_NAMES */

struct region_mark {
	uint64_t magic, self;
	uint64_t
		stream_inode; /* of the file that restored memory is mapped from: a later checkpoint
			       * stores those pages in full, or it would depend on that file */
	uint64_t size;	      /* bytes, of both mappings */
	/* Inodes of the process's namespaces when it was restored: what it has others of by the
	 * time of a later checkpoint it has made itself. */
	uint64_t namespaces[REGION_NAMESPACES];
};

#define REGION_NAMESPACE_NAMES               \
	{                                    \
		"pid", "mnt", "time", "user" \
	}

#endif
