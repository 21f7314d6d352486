/* See reader.h. */
#include "agent/reader.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define JDK_READERS "Lsun/nio/ch/"

/* src/java.base/unix/native/libnio/ch/NativeThread.c: INTERRUPT_SIGNAL. Without the JDK's handler
 * it would end the process. */
static int interrupt_signal(void)
{
	const int signo = SIGRTMAX - 2;
	struct sigaction action;

	if (sigaction(signo, NULL, &action) < 0 || action.sa_handler == SIG_DFL ||
	    action.sa_handler == SIG_IGN || (action.sa_flags & SA_RESTART))
		return 0;
	return signo;
}

static bool is_stream_socket(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Others may not expect to be interrupted. */
static bool jdk_reads(struct agent *agent, JNIEnv *jni, jthread thread)
{
	jvmtiEnv *jvmti = agent->jvmti;
	jvmtiFrameInfo frame;
	char *signature = NULL;
	jclass type = NULL;
	jint count = 0;
	bool jdk;

	if ((*jvmti)->GetStackTrace(jvmti, thread, 0, 1, &frame, &count) != JVMTI_ERROR_NONE ||
	    count != 1 ||
	    (*jvmti)->GetMethodDeclaringClass(jvmti, frame.method, &type) != JVMTI_ERROR_NONE)
		return false;
	jdk = (*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) == JVMTI_ERROR_NONE &&
	      strncmp(signature, JDK_READERS, strlen(JDK_READERS)) == 0;
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
	(*jni)->DeleteLocalRef(jni, type);
	return jdk;
}

bool reader_to_poll(struct agent *agent, JNIEnv *jni, jthread thread,
		    const struct activity *activity)
{
	int signo = interrupt_signal();

	return signo && is_stream_socket(activity->reads) && jdk_reads(agent, jni, thread) &&
	       syscall(SYS_tgkill, getpid(), activity->tid, signo) == 0;
}
