/*
 * Scope guards and ownership transfer. A variable with one of these attributes is released when it
 * leaves scope; STEAL moves the value out. Descriptors are -1 when absent.
 */
#ifndef JSNAP_BASE_CLEANUP_H
#define JSNAP_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define CLEANUP_CLOSE	 __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FREE	 __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FCLOSE	 __attribute__((cleanup(cleanup_fclose)))
#define CLEANUP_CLOSEDIR __attribute__((cleanup(cleanup_closedir)))

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#define STEAL_PTR(p)                              \
	({                                        \
		__typeof__(p) steal_value_ = (p); \
		(p) = NULL;                       \
		steal_value_;                     \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
