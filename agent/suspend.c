/* See suspend.h. */
#include "agent/suspend.h"

#include "agent/activity.h"
#include "agent/random.h"
#include "agent/reader.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Threads started by threads that still ran are found by looking again. */
#define SUSPEND_ROUNDS 10

/* What runs has so long to come to its next wait, longer where it gets no processor for half of
 * that; looked at in such steps. */
#define SETTLE_NS      30000000ull
#define SETTLE_MOST_NS 300000000ull
#define SETTLE_LOOK_NS 200000

/* What was stopped in a random generator is let out of it, so often at most, for so long, and each
 * time longer: on a busy machine it may get no processor. */
#define DRAWING_ROUNDS 50
#define DRAWING_NS     50000

#define LOOK_S 1

/* What JVMTI 21 has and older headers don't name: a capability and two functions, by their numbers
 * in jvmti.h. */
#define CAN_SUPPORT_VIRTUAL_THREADS 44
#define SUSPEND_ALL_VIRTUAL_THREADS 118
#define RESUME_ALL_VIRTUAL_THREADS  119

union capabilities {
	jvmtiCapabilities all;
	uint64_t bits;
};

static const union capabilities plain = {.all = {.can_suspend = 1}};
static const union capabilities virtual_ = {.bits = 1ull << CAN_SUPPORT_VIRTUAL_THREADS};

struct held_thread {
	jthread thread; /* global reference */
	int tid;	/* its own as long as it is held; 0: not known */
	bool looked_at; /* it stands in no random generator */
};

static struct {
	struct held_thread *threads;
	jint count;
	bool held, virtual_held;
} suspended;

/* Who watches is there before threads stop: the marks of its stack are not to change in a capture.
 * Afterwards it sleeps until the next look, for nobody waits for its end. `lock` is for both
 * structures; a thread that has it is not suspended. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t leaves, stands = PTHREAD_COND_INITIALIZER;
static struct {
	struct agent *agent;
	jthread thread; /* global reference */
	bool wanted, running, leaving;
	unsigned int looks, looks_max; /* counted, for a restore may move the clock */
} watch;

/* Of all virtual threads, those that are not there yet among them. */
static bool call_for_all_virtual(jvmtiEnv *jvmti, int number)
{
	typedef jvmtiError(JNICALL * function)(jvmtiEnv *, jint, const jthread *);
	function f = ((const function *)*jvmti)[number - 1];

	return f && f(jvmti, 0, NULL) == JVMTI_ERROR_NONE;
}

/* Carriers stop when they carry nothing, and what they carry goes on: that is stopped first. */
static void suspend_virtual(jvmtiEnv *jvmti)
{
	if ((*jvmti)->AddCapabilities(jvmti, &virtual_.all) != JVMTI_ERROR_NONE)
		return;
	suspended.virtual_held = call_for_all_virtual(jvmti, SUSPEND_ALL_VIRTUAL_THREADS);
	if (!suspended.virtual_held)
		(*jvmti)->RelinquishCapabilities(jvmti, &virtual_.all);
}

static void resume_all(struct agent *agent, JNIEnv *jni)
{
	jvmtiEnv *jvmti = agent->jvmti;

	if (!suspended.held)
		return;
	if (suspended.virtual_held) {
		call_for_all_virtual(jvmti, RESUME_ALL_VIRTUAL_THREADS);
		(*jvmti)->RelinquishCapabilities(jvmti, &virtual_.all);
	}
	for (jint i = 0; i < suspended.count; i++) {
		(*jvmti)->ResumeThread(jvmti, suspended.threads[i].thread);
		(*jni)->DeleteGlobalRef(jni, suspended.threads[i].thread);
	}
	free(suspended.threads);
	memset(&suspended, 0, sizeof(suspended));
	(*jvmti)->RelinquishCapabilities(jvmti, &plain.all);
}

static void JNICALL look_after(jvmtiEnv *jvmti, JNIEnv *jni, void *unused)
{
	(void)jvmti;
	(void)unused;
	pthread_mutex_lock(&lock);
	watch.running = true;
	pthread_cond_signal(&stands);
	while (watch.wanted && !watch.leaving) {
		struct timespec next;

		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec += LOOK_S;
		pthread_cond_timedwait(&leaves, &lock, &next);
		if (suspended.held && ++watch.looks > watch.looks_max)
			resume_all(watch.agent, jni);
	}
	watch.running = false;
	pthread_mutex_unlock(&lock);
}

static void make_conditions(void)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&leaves, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* With `lock`. The one of an earlier hold may not have looked since. */
static int start_watch(struct agent *agent, JNIEnv *jni)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_conditions);
	watch.agent = agent;
	watch.wanted = true;
	watch.looks = 0;
	if (watch.running)
		return 0;
	if (watch.thread)
		(*jni)->DeleteGlobalRef(jni, watch.thread);
	watch.thread = agent_new_thread(agent, jni, "jsnap-watch");
	if (!watch.thread ||
	    (*agent->jvmti)
			    ->RunAgentThread(agent->jvmti, watch.thread, look_after, NULL,
					     JVMTI_THREAD_NORM_PRIORITY) != JVMTI_ERROR_NONE)
		return -EAGAIN;
	while (!watch.running)
		pthread_cond_wait(&stands, &lock);
	return 0;
}

int suspend_prepare(struct agent *agent, JNIEnv *jni, struct jsnap_error *err)
{
	int r;

	pthread_mutex_lock(&lock);
	r = start_watch(agent, jni);
	pthread_mutex_unlock(&lock);
	if (!r)
		return 0;
	agent_exception(jni);
	return error_set(err, -r, "the JVM starts no thread to watch over those that are held");
}

static int by_tid(const void *a, const void *b)
{
	const struct held_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Among the first n, which are sorted: those without a TID come first. */
static bool is_known(JNIEnv *jni, jint n, const struct held_thread *wanted)
{
	if (wanted->tid)
		return bsearch(wanted, suspended.threads, (size_t)n, sizeof(*wanted), by_tid);
	for (jint i = 0; i < n && !suspended.threads[i].tid; i++)
		if ((*jni)->IsSameObject(jni, suspended.threads[i].thread, wanted->thread))
			return true;
	return false;
}

/* Suspends what is new in `threads`, of which none is there twice; how many that were, or -ENOMEM.
 * With `ret_running` those that run are let go on, and counted. */
static int suspend_new(struct agent *agent, JNIEnv *jni, const jthread *threads, jint count,
		       jthread self, int *ret_running)
{
	struct held_thread *grown =
		realloc(suspended.threads, (size_t)(suspended.count + count + 1) * sizeof(*grown));
	jint known = suspended.count;
	struct activity activity;
	int n = 0;

	if (!grown)
		return -ENOMEM;
	suspended.threads = grown;
	qsort(grown, (size_t)known, sizeof(*grown), by_tid);
	for (jint i = 0; i < count; i++) {
		struct held_thread found = {.thread = threads[i],
					    .tid = activity_tid(jni, threads[i])};

		if ((*jni)->IsSameObject(jni, threads[i], self) ||
		    (*jni)->IsSameObject(jni, threads[i], watch.thread) ||
		    is_known(jni, known, &found))
			continue;
		activity = activity_of(found.tid);
		if (ret_running &&
		    (activity.running ||
		     (activity.reads >= 0 && reader_to_poll(agent, jni, threads[i], &activity)))) {
			(*ret_running)++;
			continue;
		}
		/* A debugger's own suspension, or a thread that has ended meanwhile. */
		if ((*agent->jvmti)->SuspendThread(agent->jvmti, threads[i]) != JVMTI_ERROR_NONE)
			continue;
		found.thread = (*jni)->NewGlobalRef(jni, threads[i]);
		suspended.threads[suspended.count++] = found;
		n++;
	}
	return n;
}

static int suspend_round(struct agent *agent, JNIEnv *jni, jthread self, int *ret_running)
{
	jthread *threads;
	jint count;
	int n;

	if ((*jni)->PushLocalFrame(jni, 16) < 0)
		return -ENOMEM;
	if ((*agent->jvmti)->GetAllThreads(agent->jvmti, &count, &threads) != JVMTI_ERROR_NONE) {
		(*jni)->PopLocalFrame(jni, NULL);
		return -EIO;
	}
	n = suspend_new(agent, jni, threads, count, self, ret_running);
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)threads);
	(*jni)->PopLocalFrame(jni, NULL);
	return n;
}

/* Of all threads but this one, so far. */
static uint64_t others_processor_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool had_time(uint64_t start, uint64_t processor_then)
{
	const uint64_t passed = monotonic_ns() - start;

	return passed >= SETTLE_MOST_NS ||
	       (passed >= SETTLE_NS && others_processor_ns() - processor_then >= SETTLE_NS / 2);
}

/* Those asleep first, the others as they fall asleep, until the time is up. */
static int suspend_settled(struct agent *agent, JNIEnv *jni, jthread self)
{
	const uint64_t start = monotonic_ns(), processor = others_processor_ns();
	int running, n;

	do {
		running = 0;
		n = suspend_round(agent, jni, self, &running);
		if (running)
			nanosleep(&(struct timespec){.tv_nsec = SETTLE_LOOK_NS}, NULL);
	} while (n >= 0 && running && !had_time(start, processor));
	return n;
}

/* Wherever they are, and whom they start meanwhile. */
static int suspend_rest(struct agent *agent, JNIEnv *jni, jthread self)
{
	int n, round = 0;

	do
		n = suspend_round(agent, jni, self, NULL);
	while (n > 0 && ++round < SUSPEND_ROUNDS);
	return n;
}

/* Also one in native code: a generator's reads and writes memory by such, when it is interpreted.
 */
static bool may_draw(jvmtiEnv *jvmti, const struct held_thread *held)
{
	jint state = 0;

	return !held->looked_at &&
	       (*jvmti)->GetThreadState(jvmti, held->thread, &state) == JVMTI_ERROR_NONE &&
	       (state & JVMTI_THREAD_STATE_RUNNABLE);
}

/* How many were. */
static int let_drawing_go(struct agent *agent, JNIEnv *jni)
{
	jint kept = 0;

	for (jint i = 0; i < suspended.count; i++) {
		struct held_thread *held = &suspended.threads[i];

		if (may_draw(agent->jvmti, held) && random_is_drawn(agent, jni, held->thread)) {
			(*agent->jvmti)->ResumeThread(agent->jvmti, held->thread);
			(*jni)->DeleteGlobalRef(jni, held->thread);
			continue;
		}
		held->looked_at = true;
		suspended.threads[kept++] = *held;
	}
	kept = suspended.count - kept;
	suspended.count -= kept;
	return kept;
}

static int suspend_drawn(struct agent *agent, JNIEnv *jni, jthread self)
{
	int n = 0;

	for (int round = 0; n >= 0 && round < DRAWING_ROUNDS && let_drawing_go(agent, jni);
	     round++) {
		nanosleep(&(struct timespec){.tv_nsec = DRAWING_NS * (round + 1)}, NULL);
		n = suspend_rest(agent, jni, self);
	}
	return n;
}

static int suspend_all(struct agent *agent, JNIEnv *jni, struct jsnap_error *err)
{
	jthread self = NULL;
	int n;

	watch.looks = 0;
	if ((*agent->jvmti)->AddCapabilities(agent->jvmti, &plain.all) != JVMTI_ERROR_NONE ||
	    (*agent->jvmti)->GetCurrentThread(agent->jvmti, &self) != JVMTI_ERROR_NONE)
		return error_set(err, ENOTSUP, "the JVM does not offer to suspend threads");
	suspended.held = true;
	suspend_virtual(agent->jvmti);
	n = suspend_settled(agent, jni, self);
	if (n >= 0)
		n = suspend_rest(agent, jni, self);
	if (n >= 0)
		n = suspend_drawn(agent, jni, self);
	(*jni)->DeleteLocalRef(jni, self);
	if (n >= 0)
		return 0;
	resume_all(agent, jni);
	return error_set(err, -n, "suspend the application's threads: %s", strerror(-n));
}

int suspend_application(struct agent *agent, JNIEnv *jni, unsigned int seconds,
			struct jsnap_error *err)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	watch.looks_max = seconds / LOOK_S;
	if (!suspended.held)
		r = suspend_all(agent, jni, err);
	agent_exception(jni);
	pthread_mutex_unlock(&lock);
	return r;
}

void suspend_end(struct agent *agent, JNIEnv *jni)
{
	pthread_mutex_lock(&lock);
	resume_all(agent, jni);
	watch.wanted = false;
	pthread_mutex_unlock(&lock);
}

void suspend_go_on(void)
{
	pthread_mutex_lock(&lock);
	watch.looks = 0;
	pthread_mutex_unlock(&lock);
}

void suspend_leave(void)
{
	pthread_mutex_lock(&lock);
	watch.leaving = true;
	if (watch.running)
		pthread_cond_broadcast(&leaves);
	pthread_mutex_unlock(&lock);
}
