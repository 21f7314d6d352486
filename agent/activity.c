/* See activity.h. */
#include "agent/activity.h"

#include "agent/vmstructs.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static jfieldID eetop;
static size_t os_thread, thread_id; /* offsets */

void activity_find(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/Thread");
	jfieldID field = type ? (*jni)->GetFieldID(jni, type, "eetop", "J") : NULL;

	if ((*jni)->ExceptionCheck(jni))
		(*jni)->ExceptionClear(jni);
	if (vmstructs_offset("Thread|JavaThread", "_osthread", &os_thread) &&
	    vmstructs_offset("OSThread", "_thread_id", &thread_id))
		eetop = field;
}

/* Memory of this process that may be unmapped by now. */
static bool peek(uintptr_t address, void *to, size_t size)
{
	struct iovec local = {to, size}, remote = {(void *)address, size};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

int activity_tid(JNIEnv *jni, jthread thread)
{
	uintptr_t java = eetop ? (uintptr_t)(*jni)->GetLongField(jni, thread, eetop) : 0, os;
	int tid;

	if (!java || !peek(java + os_thread, &os, sizeof(os)) || !os ||
	    !peek(os + thread_id, &tid, sizeof(tid)) || tid < 0)
		return 0;
	return tid;
}

/* "running", or "NR ARGUMENT..."; NR is -1 in what is no system call, a page fault as a rule. */
static struct activity parse(const char *text)
{
	struct activity asleep = {.reads = -1};
	unsigned int fd;
	long nr;

	if (strncmp(text, "running", 7) == 0 || strncmp(text, "-1 ", 3) == 0)
		return (struct activity){.running = true, .reads = -1};
	if (sscanf(text, "%ld %x", &nr, &fd) != 2)
		return asleep;
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
		asleep.reads = (int)fd;
	}
	return asleep;
}

struct activity activity_of(int tid)
{
	char path[64], text[256];
	struct activity activity;
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	activity = parse(text);
	activity.tid = tid;
	return activity;
}
