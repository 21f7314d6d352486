/*
 * Named faults: places where a test build fails, or sees another machine, on demand. The variable
 * JSNAP_FAULT holds "NAME" or "NAME=VALUE", several separated by commas. Builds without the CMake
 * option JSNAP_FAULTS have none of this, and a program with file capabilities never looks
 * (secure_getenv(3)).
 *
 * Each has a test: tests/fault.
 */
#ifndef JSNAP_BASE_FAULT_H
#define JSNAP_BASE_FAULT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* name in the enumeration, in the variable, and what then happens */
#define FAULTS(X)                                                                           \
	X(SYSTEM_ROOT, "system-root", "files of the system are looked for below VALUE")     \
	X(OTHER_VDSO, "other-vdso", "this kernel's vDSO is taken for another's")            \
	X(OTHER_CPU, "other-cpu",                                                           \
	  "this processor lacks the feature VALUE, or has a level's alone")                 \
	X(OTHER_XSAVE, "other-xsave", "this processor keeps the registers VALUE elsewhere") \
	X(FREEZE, "freeze", "the program can't be stopped")                                 \
	X(CAPTURE, "capture", "reading phase VALUE of the stopped program fails")           \
	X(STREAM, "stream", "storing a page fails: no space")                               \
	X(IMAGE_WRITE, "image-write", "writing the image fails: no space")                  \
	X(IMAGE_SYNC, "image-sync", "syncing the image fails: I/O error")                   \
	X(IMAGE_RENAME, "image-rename", "giving the image its name fails")                  \
	X(HOT_COMMIT, "hot-commit", "finishing the hot copy fails")                         \
	X(WRITER, "writer", "the process that writes the image is killed")                  \
	X(EXTRACT, "extract", "unpacking the image fails: no space")                        \
	X(CLONE, "clone", "the restored process can't be made")                             \
	X(OPEN_FILES, "open-files", "the restored process can't open its files")            \
	X(REGION, "region", "there is no memory for the restorer")                          \
	X(RESTORER, "restorer", "a system call of the restorer fails")                      \
	X(REFRESH, "refresh", "the agent refuses to refresh the restored program")          \
	X(STOP, "stop", "jsnap stops itself (SIGSTOP) at the place VALUE")                  \
	X(REFRESH_LATE, "refresh-late", "the agent is asked to refresh VALUE ms later")     \
	X(HOLD_LATE, "hold-late", "threads are held for 1 s, and stopped VALUE ms later")   \
	X(PROBATION, "probation", "the restored program dies of SIGSEGV as soon as it runs")

enum fault {
#define X(id, name, what) FAULT_##id,
	FAULTS(X)
#undef X
		FAULT_COUNT
};

#ifdef JSNAP_FAULTS
/* Whether the fault is asked for. */
bool fault_on(enum fault fault);
/* Its value: "" without one, NULL when it is not asked for. */
const char *fault_value(enum fault fault);
#else
static inline bool fault_on(enum fault fault)
{
	(void)fault;
	return false;
}
static inline const char *fault_value(enum fault fault)
{
	(void)fault;
	return NULL;
}
#endif

const char *fault_name(enum fault fault);

/* 0, or -code with an error that names the fault. */
int fault_fail(enum fault fault, int code, struct jsnap_error *err);

/* STOP: until somebody sends SIGCONT. For what happens between two steps of this process. */
void fault_stop(const char *place);

/* In front of paths of /proc and /sys that tests replace: "" but for SYSTEM_ROOT. */
static inline const char *fault_system_root(void)
{
	const char *root = fault_value(FAULT_SYSTEM_ROOT);

	return root ? root : "";
}

#endif
