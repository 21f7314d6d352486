/* See openers.h. */
#include "agent/openers.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FDS_MAX 65536 /* descriptors with a higher number are not noted */

struct opener {
	char *stack; /* owned; NULL: not known */
	dev_t dev;
	ino_t ino;
};

static struct {
	pthread_mutex_t lock;
	struct opener *fds; /* by number */
	int count;
	jclass type; /* jsnap.Opener; NULL: nothing is noted yet */
	jmethodID stack;
} openers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __thread bool noting; /* the stack trace itself may open a jar */

static bool grow(int fd)
{
	int count = openers.count ? openers.count : 256;
	struct opener *fds;

	while (count <= fd)
		count *= 2;
	if (count == openers.count)
		return true;
	fds = reallocarray(openers.fds, (size_t)count, sizeof(*fds));
	if (!fds)
		return false;
	memset(fds + openers.count, 0, (size_t)(count - openers.count) * sizeof(*fds));
	openers.fds = fds;
	openers.count = count;
	return true;
}

static void keep(int fd, char *stack)
{
	struct stat st;

	pthread_mutex_lock(&openers.lock);
	if (grow(fd) && !fstat(fd, &st)) {
		free(openers.fds[fd].stack);
		openers.fds[fd] = (struct opener){stack, st.st_dev, st.st_ino};
		stack = NULL;
	}
	pthread_mutex_unlock(&openers.lock);
	free(stack);
}

static void note(JNIEnv *jni, int fd)
{
	jstring text;
	const char *bytes;

	if (fd < 0 || fd >= FDS_MAX || noting || !openers.type || (*jni)->ExceptionCheck(jni))
		return;
	noting = true;
	text = (*jni)->CallStaticObjectMethod(jni, openers.type, openers.stack);
	if (!agent_exception(jni) && text) {
		bytes = (*jni)->GetStringUTFChars(jni, text, NULL);
		if (bytes) {
			keep(fd, strdup(bytes));
			(*jni)->ReleaseStringUTFChars(jni, text, bytes);
		}
	}
	(*jni)->DeleteLocalRef(jni, text);
	noting = false;
}

/* The number in a java.io.FileDescriptor; -1 when there is none. */
static int number_of(JNIEnv *jni, jobject descriptor)
{
	jclass type = descriptor ? (*jni)->GetObjectClass(jni, descriptor) : NULL;
	jfieldID field = type ? (*jni)->GetFieldID(jni, type, "fd", "I") : NULL;
	int fd = field ? (*jni)->GetIntField(jni, descriptor, field) : -1;

	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, type);
	return fd;
}

static void note_descriptor(JNIEnv *jni, jobject descriptor)
{
	if (!(*jni)->ExceptionCheck(jni))
		note(jni, number_of(jni, descriptor));
}

/* Of a stream, whose field `fd` is its descriptor. */
static void note_stream(JNIEnv *jni, jobject stream)
{
	jclass type;
	jfieldID field;
	jobject descriptor;

	if ((*jni)->ExceptionCheck(jni))
		return;
	type = (*jni)->GetObjectClass(jni, stream);
	field = (*jni)->GetFieldID(jni, type, "fd", "Ljava/io/FileDescriptor;");
	descriptor = field ? (*jni)->GetObjectField(jni, stream, field) : NULL;
	agent_exception(jni);
	note_descriptor(jni, descriptor);
	(*jni)->DeleteLocalRef(jni, descriptor);
	(*jni)->DeleteLocalRef(jni, type);
}

enum method { IN, OUT, RANDOM, OPEN, OPENAT, SOCKET, ACCEPT, UNIX_SOCKET, UNIX_ACCEPT, METHODS };

static void *originals[METHODS];

static void JNICALL open_in(JNIEnv *jni, jobject self, jstring path)
{
	((void(JNICALL *)(JNIEnv *, jobject, jstring))originals[IN])(jni, self, path);
	note_stream(jni, self);
}

static void JNICALL open_out(JNIEnv *jni, jobject self, jstring path, jboolean append)
{
	((void(JNICALL *)(JNIEnv *, jobject, jstring, jboolean))originals[OUT])(jni, self, path,
										append);
	note_stream(jni, self);
}

static void JNICALL open_random(JNIEnv *jni, jobject self, jstring path, jint mode)
{
	((void(JNICALL *)(JNIEnv *, jobject, jstring, jint))originals[RANDOM])(jni, self, path,
									       mode);
	note_stream(jni, self);
}

static jint JNICALL open_path(JNIEnv *jni, jclass type, jlong path, jint flags, jint mode)
{
	jint fd = ((jint(JNICALL *)(JNIEnv *, jclass, jlong, jint, jint))originals[OPEN])(
		jni, type, path, flags, mode);

	note(jni, fd);
	return fd;
}

static jint JNICALL open_path_at(JNIEnv *jni, jclass type, jint at, jlong path, jint flags,
				 jint mode)
{
	jint fd = ((jint(JNICALL *)(JNIEnv *, jclass, jint, jlong, jint, jint))originals[OPENAT])(
		jni, type, at, path, flags, mode);

	note(jni, fd);
	return fd;
}

static jint JNICALL open_socket(JNIEnv *jni, jclass type, jboolean ipv6, jboolean stream,
				jboolean reuse, jboolean fast)
{
	jint fd = ((jint(JNICALL *)(JNIEnv *, jclass, jboolean, jboolean, jboolean,
				    jboolean))originals[SOCKET])(jni, type, ipv6, stream, reuse,
								 fast);

	note(jni, fd);
	return fd;
}

typedef jint(JNICALL *accept_function)(JNIEnv *, jclass, jobject, jobject, jobjectArray);

static jint JNICALL accept_socket(JNIEnv *jni, jclass type, jobject from, jobject to,
				  jobjectArray address)
{
	jint n = ((accept_function)originals[ACCEPT])(jni, type, from, to, address);

	if (n > 0)
		note_descriptor(jni, to);
	return n;
}

static jint JNICALL open_unix(JNIEnv *jni, jclass type)
{
	jint fd = ((jint(JNICALL *)(JNIEnv *, jclass))originals[UNIX_SOCKET])(jni, type);

	note(jni, fd);
	return fd;
}

static jint JNICALL accept_unix(JNIEnv *jni, jclass type, jobject from, jobject to,
				jobjectArray address)
{
	jint n = ((accept_function)originals[UNIX_ACCEPT])(jni, type, from, to, address);

	if (n > 0)
		note_descriptor(jni, to);
	return n;
}

#define DESCRIPTOR "Ljava/io/FileDescriptor;"

static const struct {
	const char *type, *name, *signature;
	void *replacement;
} methods[METHODS] = {
	[IN] = {"Ljava/io/FileInputStream;", "open0", "(Ljava/lang/String;)V", open_in},
	[OUT] = {"Ljava/io/FileOutputStream;", "open0", "(Ljava/lang/String;Z)V", open_out},
	[RANDOM] = {"Ljava/io/RandomAccessFile;", "open0", "(Ljava/lang/String;I)V", open_random},
	[OPEN] = {"Lsun/nio/fs/UnixNativeDispatcher;", "open0", "(JII)I", open_path},
	[OPENAT] = {"Lsun/nio/fs/UnixNativeDispatcher;", "openat0", "(IJII)I", open_path_at},
	[SOCKET] = {"Lsun/nio/ch/Net;", "socket0", "(ZZZZ)I", open_socket},
	[ACCEPT] = {"Lsun/nio/ch/Net;", "accept",
		    "(" DESCRIPTOR DESCRIPTOR "[Ljava/net/InetSocketAddress;)I", accept_socket},
	[UNIX_SOCKET] = {"Lsun/nio/ch/UnixDomainSockets;", "socket0", "()I", open_unix},
	[UNIX_ACCEPT] = {"Lsun/nio/ch/UnixDomainSockets;", "accept0",
			 "(" DESCRIPTOR DESCRIPTOR "[Ljava/lang/Object;)I", accept_unix},
};

static int find(const char *type, const char *name, const char *signature)
{
	for (int i = 0; i < METHODS; i++)
		if (!strcmp(methods[i].name, name) && !strcmp(methods[i].signature, signature) &&
		    !strcmp(methods[i].type, type))
			return i;
	return -1;
}

static void JNICALL bound(jvmtiEnv *jvmti, JNIEnv *jni, jthread thread, jmethodID method,
			  void *address, void **new_address)
{
	char *name = NULL, *signature = NULL, *type_name = NULL;
	jclass type = NULL;
	int i;

	(void)thread;
	/* Fails in the primordial phase, when nothing of interest is bound. */
	if ((*jvmti)->GetMethodName(jvmti, method, &name, &signature, NULL) != JVMTI_ERROR_NONE)
		return;
	if ((*jvmti)->GetMethodDeclaringClass(jvmti, method, &type) == JVMTI_ERROR_NONE &&
	    (*jvmti)->GetClassSignature(jvmti, type, &type_name, NULL) == JVMTI_ERROR_NONE) {
		i = find(type_name, name, signature);
		if (i >= 0 && address != methods[i].replacement) {
			originals[i] = address;
			*new_address = methods[i].replacement;
		}
		(*jvmti)->Deallocate(jvmti, (unsigned char *)type_name);
	}
	if (jni)
		(*jni)->DeleteLocalRef(jni, type);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)name);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
}

void openers_load(jvmtiEnv *jvmti, jvmtiEventCallbacks *callbacks)
{
	const jvmtiCapabilities wanted = {.can_generate_native_method_bind_events = 1};

	if ((*jvmti)->AddCapabilities(jvmti, &wanted) != JVMTI_ERROR_NONE)
		return;
	callbacks->NativeMethodBind = bound;
	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_NATIVE_METHOD_BIND,
					   NULL);
}

void openers_start(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "jsnap/Opener");
	jmethodID stack =
		type ? (*jni)->GetStaticMethodID(jni, type, "stack", "()Ljava/lang/String;") : NULL;

	if (agent_exception(jni) || !stack)
		return;
	openers.stack = stack;
	__atomic_store_n(&openers.type, (*jni)->NewGlobalRef(jni, type), __ATOMIC_RELEASE);
	(*jni)->DeleteLocalRef(jni, type);
}

static bool is_current(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == openers.fds[fd].dev &&
	       st.st_ino == openers.fds[fd].ino;
}

void openers_answer(int fd, struct agent_payload *answer)
{
	pthread_mutex_lock(&openers.lock);
	if (fd >= 0 && fd < openers.count && openers.fds[fd].stack && is_current(fd))
		agent_payload_add(answer, "stack", openers.fds[fd].stack);
	pthread_mutex_unlock(&openers.lock);
}

void openers_keep_current(void)
{
	pthread_mutex_lock(&openers.lock);
	for (int fd = 0; fd < openers.count; fd++)
		if (openers.fds[fd].stack && !is_current(fd)) {
			free(openers.fds[fd].stack);
			openers.fds[fd].stack = NULL;
		}
	pthread_mutex_unlock(&openers.lock);
}

void openers_restored(void)
{
	struct stat st;

	pthread_mutex_lock(&openers.lock);
	for (int fd = 0; fd < openers.count; fd++)
		if (openers.fds[fd].stack && !fstat(fd, &st)) {
			openers.fds[fd].dev = st.st_dev;
			openers.fds[fd].ino = st.st_ino;
		}
	pthread_mutex_unlock(&openers.lock);
}
