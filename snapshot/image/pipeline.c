/*
 * See pipeline.h. A ring of slots: the caller's thread owns FREE and DONE ones, a worker the one it
 * has taken. Workers take READY slots in ring order.
 */
#include "image/pipeline.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_TAKEN, SLOT_DONE };

struct slot {
	struct chunk chunk;
	enum slot_state state;
	int result;
	struct jsnap_error err;
};

struct ring {
	const struct pipeline *p;
	void *ctx;
	struct slot *slots;
	unsigned n_slots;
	pthread_mutex_t lock;
	pthread_cond_t work, done; /* a slot became READY or it is over; a slot became DONE */
	uint64_t next;		   /* index of the chunk that the next idle worker looks at */
	bool over;
};

struct worker {
	struct ring *ring;
	void *state;
	pthread_t thread;
	bool started;
};

unsigned pipeline_threads(unsigned requested, uint64_t chunks)
{
	unsigned threads = requested;
	cpu_set_t set;

	if (!threads && sched_getaffinity(0, sizeof(set), &set) == 0)
		threads = (unsigned)CPU_COUNT(&set);
	if (!threads)
		threads = 1;
	if (!requested && threads > PIPELINE_THREADS_AUTO)
		threads = PIPELINE_THREADS_AUTO;
	if (threads > PIPELINE_THREADS_MAX)
		threads = PIPELINE_THREADS_MAX;
	if (threads > chunks)
		threads = chunks ? (unsigned)chunks : 1;
	return threads;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct ring *ring = w->ring;

	pthread_mutex_lock(&ring->lock);
	while (!ring->over) {
		struct slot *slot = &ring->slots[ring->next % ring->n_slots];

		if (slot->state != SLOT_READY || slot->chunk.index != ring->next) {
			pthread_cond_wait(&ring->work, &ring->lock);
			continue;
		}
		slot->state = SLOT_TAKEN;
		ring->next++;
		pthread_mutex_unlock(&ring->lock);
		if (!slot->chunk.done)
			slot->result = ring->p->work(ring->ctx, w->state, &slot->chunk, &slot->err);
		pthread_mutex_lock(&ring->lock);
		slot->state = SLOT_DONE;
		pthread_cond_signal(&ring->done);
	}
	pthread_mutex_unlock(&ring->lock);
	return NULL;
}

static int slot_fill(struct ring *ring, struct slot *slot, uint64_t index, struct jsnap_error *err)
{
	const struct pipeline *p = ring->p;
	struct chunk *c = &slot->chunk;

	if (!c->raw)
		c->raw = malloc(p->raw_cap);
	if (!c->packed)
		c->packed = malloc(p->packed_cap);
	if (!c->raw || !c->packed)
		return error_set(err, ENOMEM, "no memory for a chunk of %zu bytes", p->raw_cap);
	c->index = index;
	c->raw_size = c->packed_size = 0;
	c->zero = c->done = false;
	slot->result = 0;
	slot->err.code = 0;
	return p->produce(ring->ctx, c, err);
}

static void ring_submit(struct ring *ring, struct slot *slot)
{
	pthread_mutex_lock(&ring->lock);
	slot->state = SLOT_READY;
	pthread_cond_signal(&ring->work);
	pthread_mutex_unlock(&ring->lock);
}

static int ring_take_back(struct ring *ring, struct slot *slot, struct jsnap_error *err)
{
	pthread_mutex_lock(&ring->lock);
	while (slot->state != SLOT_DONE)
		pthread_cond_wait(&ring->done, &ring->lock);
	slot->state = SLOT_FREE;
	pthread_mutex_unlock(&ring->lock);
	if (slot->result < 0) {
		if (err)
			*err = slot->err;
		return slot->result;
	}
	return ring->p->consume(ring->ctx, &slot->chunk, err);
}

static int ring_drive(struct ring *ring, struct jsnap_error *err)
{
	uint64_t in = 0, out = 0;
	bool more = true;
	int r;

	while (more || out < in) {
		if (more && in - out < ring->n_slots) {
			struct slot *slot = &ring->slots[in % ring->n_slots];

			r = slot_fill(ring, slot, in, err);
			if (r < 0)
				return r;
			more = r > 0;
			if (more) {
				ring_submit(ring, slot);
				in++;
			}
			continue;
		}
		r = ring_take_back(ring, &ring->slots[out % ring->n_slots], err);
		if (r < 0)
			return r;
		out++;
	}
	return 0;
}

static int drive_alone(struct ring *ring, void *state, struct jsnap_error *err)
{
	struct slot *slot = &ring->slots[0];

	for (uint64_t i = 0;; i++) {
		int r = slot_fill(ring, slot, i, err);

		if (r <= 0)
			return r;
		if (!slot->chunk.done)
			r = ring->p->work(ring->ctx, state, &slot->chunk, err);
		if (r >= 0)
			r = ring->p->consume(ring->ctx, &slot->chunk, err);
		if (r < 0)
			return r;
	}
}

/* Threads inherit the mask of their creator, so it is all blocked around the creation. */
static int workers_start(struct ring *ring, struct worker *workers, unsigned n,
			 struct jsnap_error *err)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < n && r == 0; i++) {
		workers[i].ring = ring;
		r = pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
		workers[i].started = r == 0;
		if (r && i > 0)
			r = 0; /* one worker is enough to get there */
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return error_set(err, r, "start a worker thread: %s", strerror(r));
	return 0;
}

static void workers_stop(struct ring *ring, struct worker *workers, unsigned n)
{
	pthread_mutex_lock(&ring->lock);
	ring->over = true;
	pthread_cond_broadcast(&ring->work);
	pthread_mutex_unlock(&ring->lock);
	for (unsigned i = 0; i < n; i++)
		if (workers[i].started)
			pthread_join(workers[i].thread, NULL);
}

int pipeline_run(const struct pipeline *p, void *ctx, unsigned threads, struct jsnap_error *err)
{
	struct worker workers[PIPELINE_THREADS_MAX] = {0};
	struct ring ring = {.p = p, .ctx = ctx, .n_slots = threads > 1 ? 2 * threads + 1 : 1};
	int r = 0;

	ring.slots = calloc(ring.n_slots, sizeof(*ring.slots));
	if (!ring.slots)
		return error_set(err, ENOMEM, "no memory for %u chunks", ring.n_slots);
	pthread_mutex_init(&ring.lock, NULL);
	pthread_cond_init(&ring.work, NULL);
	pthread_cond_init(&ring.done, NULL);
	for (unsigned i = 0; i < threads && r == 0; i++) {
		workers[i].state = p->worker_new(ctx);
		if (!workers[i].state)
			r = error_set(err, ENOMEM, "no memory for a (de)compressor");
	}
	if (r == 0 && threads > 1) {
		r = workers_start(&ring, workers, threads, err);
		if (r == 0)
			r = ring_drive(&ring, err);
		workers_stop(&ring, workers, threads);
	} else if (r == 0) {
		r = drive_alone(&ring, workers[0].state, err);
	}
	for (unsigned i = 0; i < threads; i++)
		if (workers[i].state)
			p->worker_free(workers[i].state);
	for (unsigned i = 0; i < ring.n_slots; i++) {
		free(ring.slots[i].chunk.raw);
		free(ring.slots[i].chunk.packed);
	}
	free(ring.slots);
	pthread_mutex_destroy(&ring.lock);
	pthread_cond_destroy(&ring.work);
	pthread_cond_destroy(&ring.done);
	return r;
}
