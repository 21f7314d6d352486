/*
 * The agent in the JVM: takes over the control channel and answers it from a thread of its own.
 *
 * The thread blocks in read(): an application that is left alone pays nothing. No capability is
 * held while nothing is asked and no event but the VM's death is enabled, so that class data
 * sharing and all optimizations are what they are without the agent. Nothing here ends or disturbs
 * the application: without a usable channel, or when the launcher is gone, the agent falls silent.
 */
#include "agent/agent.h"

#include "agent/crac.h"
#include "agent/flags.h"
#include "agent/lenders.h"
#include "agent/openers.h"
#include "agent/pools.h"
#include "agent/prepare.h"
#include "agent/random.h"
#include "agent/suspend.h"
#include "agent/vmstructs.h"
#include "agent/world.h"
#include "agent/zone.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AGENT_EXPORT __attribute__((visibility("default")))

#define LOOK_MS 1000

static struct agent agent = {.fd = -1};

/* A closed descriptor's number soon belongs to the application: close and shutdown exclude each
 * other. */
static pthread_mutex_t channel_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t channel_closed = PTHREAD_COND_INITIALIZER;
static bool in_snapshot; /* from its first question to its last */
static bool serving;	 /* a thread stands in read(), or is about to; under channel_lock */

/* Messages of several threads do not mix. Taken before channel_lock. */
static pthread_mutex_t send_lock = PTHREAD_MUTEX_INITIALIZER;

static void close_channel(void)
{
	pthread_mutex_lock(&send_lock);
	pthread_mutex_lock(&channel_lock);
	if (agent.fd >= 0)
		close(agent.fd);
	agent.fd = -1;
	pthread_cond_broadcast(&channel_closed);
	pthread_mutex_unlock(&channel_lock);
	pthread_mutex_unlock(&send_lock);
}

int agent_say(struct agent *owner, enum agent_message type, uint32_t sequence,
	      const struct agent_payload *payload)
{
	int r;

	pthread_mutex_lock(&send_lock);
	r = owner->fd < 0 ? -EPIPE : agent_send(owner->fd, type, sequence, payload, NULL);
	pthread_mutex_unlock(&send_lock);
	return r;
}

/* By the charset itself: one looked up by name may be locked (sun.nio.cs.StandardCharsets). */
jstring agent_string(JNIEnv *jni, const char *bytes, size_t size)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/String");
	jclass charsets = (*jni)->FindClass(jni, "java/nio/charset/StandardCharsets");
	jbyteArray array = (*jni)->NewByteArray(jni, (jsize)size);
	jfieldID utf_8;
	jmethodID constructor;

	if (!type || !array || !charsets)
		return NULL;
	utf_8 = (*jni)->GetStaticFieldID(jni, charsets, "UTF_8", "Ljava/nio/charset/Charset;");
	if (!utf_8)
		return NULL;
	constructor = (*jni)->GetMethodID(jni, type, "<init>", "([BLjava/nio/charset/Charset;)V");
	if (!constructor)
		return NULL;
	(*jni)->SetByteArrayRegion(jni, array, 0, (jsize)size, (const jbyte *)bytes);
	return (*jni)->NewObject(jni, type, constructor, array,
				 (*jni)->GetStaticObjectField(jni, charsets, utf_8));
}

char *agent_utf(JNIEnv *jni, jstring string)
{
	const char *text = string ? (*jni)->GetStringUTFChars(jni, string, NULL) : NULL;
	char *copy = text ? strdup(text) : NULL;

	if (text)
		(*jni)->ReleaseStringUTFChars(jni, string, text);
	return copy;
}

static void add_system_property(JNIEnv *jni, struct agent_payload *payload, const char *key,
				const char *name)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/System");
	jmethodID get = NULL;
	jstring value = NULL;
	const char *text;

	if (type)
		get = (*jni)->GetStaticMethodID(jni, type, "getProperty",
						"(Ljava/lang/String;)Ljava/lang/String;");
	if (get)
		value = (*jni)->CallStaticObjectMethod(jni, type, get,
						       (*jni)->NewStringUTF(jni, name));
	if (agent_exception(jni) || !value)
		return;
	text = (*jni)->GetStringUTFChars(jni, value, NULL);
	if (text) {
		agent_payload_add(payload, key, text);
		(*jni)->ReleaseStringUTFChars(jni, value, text);
	}
}

static int send_hello(JNIEnv *jni)
{
	CLEANUP_PAYLOAD struct agent_payload hello = {0};
	uintptr_t heap, reserved, words;

	agent_payload_addf(&hello, "protocol", "%d", AGENT_PROTOCOL_VERSION);
	add_system_property(jni, &hello, "vm", "java.vm.name");
	add_system_property(jni, &hello, "version", "java.version");
	add_system_property(jni, &hello, "vm_version", "java.vm.version");
	add_system_property(jni, &hello, "home", "java.home");
	agent_payload_add(&hello, "gc", flags_collector_name(flags_collector()));
	agent_payload_addf(&hello, "pid", "%d", (int)getpid());
	if (vmstructs_word(0, "Universe", "_collectedHeap", &heap)) {
		reserved = vmstructs_address(heap, "CollectedHeap", "_reserved");
		if (vmstructs_word(reserved, "MemRegion", "_start", &heap) && heap &&
		    vmstructs_word(reserved, "MemRegion", "_word_size", &words))
			agent_payload_addf(&hello, "heap", "%lx-%lx", heap,
					   heap + words * sizeof(uintptr_t));
	}
	return agent_say(&agent, AGENT_HELLO, 0, &hello);
}

static int send_error(uint32_t sequence, const struct jsnap_error *failure)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};

	agent_payload_add(&payload, "message", failure->text);
	return agent_say(&agent, AGENT_ERROR, sequence, &payload);
}

/* Answers one question. Non-zero when the channel is broken. */
static int answer(JNIEnv *jni, const struct agent_header *header,
		  const struct agent_payload *question)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};
	struct jsnap_error err = {0};
	enum agent_message type;
	int r;

	switch (header->type) {
	case AGENT_STATUS:
		type = AGENT_STATE;
		r = agent_status(&agent, jni, &payload, &err);
		break;
	case AGENT_PREPARE:
		type = AGENT_PREPARED;
		in_snapshot = true;
		r = agent_prepare(&agent, jni, question, &payload, &err);
		break;
	case AGENT_HOLD:
		type = AGENT_HELD;
		r = agent_hold(&agent, jni, question, &payload, &err);
		break;
	case AGENT_RESTORED:
		type = AGENT_REFRESHED;
		in_snapshot = false;
		r = agent_refresh(&agent, jni, question, &payload, &err);
		break;
	case AGENT_OPENER:
		type = AGENT_OPENED;
		openers_answer((int)agent_payload_u64(question, "fd", UINT32_MAX), &payload);
		r = 0;
		break;
	case AGENT_RESUMED:
		in_snapshot = false;
		suspend_end(&agent, jni);
		random_forget(jni);
		world_forget(jni);
		pools_forget(jni);
		lenders_forget(jni);
		return 0;
	default:
		return send_error(header->sequence,
				  &(struct jsnap_error){EPROTO, "the agent does not know this "
								"type of message"});
	}
	agent_exception(jni);
	if (r)
		return send_error(header->sequence, &err);
	return agent_say(&agent, type, header->sequence, &payload);
}

/* The application goes on: whoever waited for that is told, after the launcher. */
static void tell_resources(JNIEnv *jni, const struct agent_header *header,
			   const struct agent_payload *question)
{
	if (header->type == AGENT_RESTORED)
		crac_after(jni, NULL);
	else if (header->type == AGENT_RESUMED)
		crac_after(jni, agent_payload_get(question, "reason"));
}

/* One message in, at most one out. Non-zero when the channel is of no more use. */
static int serve_one(JNIEnv *jni)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0};
	struct agent_header header;
	struct jsnap_error err = {0};
	int r;

	r = agent_receive(agent.fd, -1, &header, &question, &err);
	suspend_go_on();
	if (r == -EPROTO)
		return send_error(header.sequence, &err);
	if (r == -EBADMSG)
		send_error(0, &err);
	if (r)
		return r;
	if ((*jni)->PushLocalFrame(jni, 64) < 0) {
		agent_exception(jni);
		return send_error(header.sequence,
				  &(struct jsnap_error){ENOMEM, "no memory for the answer"});
	}
	r = answer(jni, &header, &question);
	tell_resources(jni, &header, &question);
	(*jni)->PopLocalFrame(jni, NULL);
	return r;
}

/* Meanwhile, where there is something to look after, it is looked after. */
static void await_question(JNIEnv *jni)
{
	struct pollfd question = {.fd = agent.fd, .events = POLLIN};

	while (!in_snapshot && lenders_look(jni) && poll(&question, 1, LOOK_MS) == 0)
		;
}

static void JNICALL serve(jvmtiEnv *jvmti, JNIEnv *jni, void *unused)
{
	int r;

	(void)jvmti;
	(void)unused;
	r = send_hello(jni);
	while (!r) {
		await_question(jni);
		r = serve_one(jni);
	}
	suspend_end(&agent, jni);
	close_channel();
	crac_after(jni, "jsnap, which takes snapshots, is gone");
}

jthread agent_new_thread(struct agent *owner, JNIEnv *jni, const char *words)
{
	jvmtiEnv *jvmti = owner->jvmti;
	jclass type = (*jni)->FindClass(jni, "java/lang/Thread");
	jmethodID constructor;
	jthreadGroup *groups = NULL;
	jthread thread = NULL;
	jint count = 0;
	jstring name;

	if (!type)
		return NULL;
	constructor = (*jni)->GetMethodID(jni, type, "<init>",
					  "(Ljava/lang/ThreadGroup;Ljava/lang/String;)V");
	name = (*jni)->NewStringUTF(jni, words);
	if (!constructor || !name ||
	    (*jvmti)->GetTopThreadGroups(jvmti, &count, &groups) != JVMTI_ERROR_NONE)
		return NULL;
	if (count > 0)
		thread = (*jni)->NewObject(jni, type, constructor, groups[0], name);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)groups);
	return thread ? (*jni)->NewGlobalRef(jni, thread) : NULL;
}

static void JNICALL vm_initialized(jvmtiEnv *jvmti, JNIEnv *jni, jthread main_thread)
{
	jthread thread;

	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_DISABLE, JVMTI_EVENT_VM_INIT, NULL);
	vmstructs_open((const void *)(*jvmti)->ForceGarbageCollection);
	agent.main_thread = (*jni)->NewGlobalRef(jni, main_thread);
	crac_define(&agent, jni);
	zone_start(jni);
	openers_start(jni);
	thread = agent_new_thread(&agent, jni, "jsnap-agent");
	if (!agent_exception(jni) && thread && agent.main_thread) {
		pthread_mutex_lock(&channel_lock);
		serving = true;
		pthread_mutex_unlock(&channel_lock);
		/* RunAgentThread makes it a daemon: it does not keep the JVM from ending. */
		if ((*jvmti)->RunAgentThread(jvmti, thread, serve, NULL,
					     JVMTI_THREAD_NORM_PRIORITY) == JVMTI_ERROR_NONE)
			return;
	}
	close_channel();
}

/*
 * Ends the read that the agent's thread stands in, and gives the thread a moment to leave. A VM
 * that ends waits up to 300 ms for threads in native code, looking every 10 ms
 * (VM_Exit::wait_for_threads_in_native_to_block), and so would whoever started it.
 *
 * A VM that a signal ends before it was initialized has no such thread. Any wait would let its
 * initialization go on meanwhile, to fail with exit status 1 (InternalError: Bad level: 2).
 */
static void JNICALL vm_ending(jvmtiEnv *jvmti, JNIEnv *jni)
{
	struct timespec deadline;

	(void)jvmti;
	(void)jni;
	suspend_leave();
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	pthread_mutex_lock(&channel_lock);
	if (agent.fd >= 0)
		shutdown(agent.fd, SHUT_RDWR);
	while (serving && agent.fd >= 0 &&
	       !pthread_cond_timedwait(&channel_closed, &channel_lock, &deadline))
		;
	pthread_mutex_unlock(&channel_lock);
}

/*
 * The descriptor of "fd=N", or -1. An application may start children with its own JVM arguments,
 * in which N is nothing or something else: only a connected stream socket of the Unix kind is ours.
 */
static int channel_of(const char *options)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(int), peer_size = sizeof(peer);
	char *end;
	long fd;
	int type;

	if (!options || strncmp(options, "fd=", 3) != 0)
		return -1;
	errno = 0;
	fd = strtol(options + 3, &end, 10);
	if (errno || end == options + 3 || (*end && *end != ',') || fd < 0 || fd > INT32_MAX)
		return -1;
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
	    getpeername((int)fd, (struct sockaddr *)&peer, &peer_size) || peer.ss_family != AF_UNIX)
		return -1;
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC))
		return -1;
	return (int)fd;
}

/* "hook-timeout=MS" among the options. */
static uint64_t timeout_of(const char *options)
{
	const char *word = strstr(options, ",hook-timeout=");

	return word ? strtoull(word + strlen(",hook-timeout="), NULL, 10) : 0;
}

AGENT_EXPORT jint JNICALL Agent_OnLoad(JavaVM *vm, char *options, void *reserved);
AGENT_EXPORT void JNICALL Agent_OnUnload(JavaVM *vm);

AGENT_EXPORT jint JNICALL Agent_OnLoad(JavaVM *vm, char *options, void *reserved)
{
	jvmtiEventCallbacks callbacks = {
		.VMInit = vm_initialized,
		.VMDeath = vm_ending,
		.GarbageCollectionFinish = prepare_collection_finished,
	};
	jvmtiEnv *jvmti;

	(void)reserved;
	if (agent.fd >= 0)
		return JNI_OK;
	agent.loaded_ns = monotonic_ns();
	agent.fd = channel_of(options);
	if (agent.fd < 0)
		return JNI_OK;
	if ((*vm)->GetEnv(vm, (void **)&jvmti, JVMTI_VERSION_11) != JNI_OK)
		return JNI_OK;
	agent.jvmti = jvmti;
	agent.hook_timeout_ms = timeout_of(options);
	if (strstr(options, ",openers"))
		openers_load(jvmti, &callbacks);
	if ((*jvmti)->SetEventCallbacks(jvmti, &callbacks, sizeof(callbacks)) != JVMTI_ERROR_NONE)
		return JNI_OK;
	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_VM_INIT, NULL);
	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_VM_DEATH, NULL);
	return JNI_OK;
}

/* The VM is gone or going while the agent's thread may still stand in read(): nothing is freed. */
AGENT_EXPORT void JNICALL Agent_OnUnload(JavaVM *vm)
{
	(void)vm;
}
