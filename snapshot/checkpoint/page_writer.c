/* See page_writer.h. */
#include "checkpoint/page_writer.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/image.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define BUFFERS 8

struct piece {
	const unsigned char *data;
	size_t size;
	uint64_t offset;
};

struct buffer {
	unsigned char *bytes;
	struct piece pieces[PAGE_WRITER_PIECES];
	size_t count;
};

struct page_writer {
	int fd;
	struct buffer buffers[BUFFERS];
	uint64_t reach; /* end of what was added last */
	struct stream_gap *gaps;
	size_t n_gaps, cap_gaps;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t submitted, written;
	/* under the lock: buffers [done, filled) are the thread's */
	uint64_t filled, done;
	int failure; /* -errno */
	bool over;
};

static int write_piece(int fd, const struct piece *piece)
{
	for (size_t at = 0; at < piece->size;) {
		/* Steps end where their multiples do, so that folios are as large and no larger. */
		size_t step = HOT_WRITE_STEP - (piece->offset + at) % HOT_WRITE_STEP;
		int r;

		if (step > piece->size - at)
			step = piece->size - at;
		r = pwrite_full(fd, piece->data + at, step, (off_t)(piece->offset + at));
		if (r < 0)
			return r;
		at += step;
	}
	return 0;
}

static int write_buffer(int fd, const struct buffer *buffer)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < buffer->count; i++)
		r = write_piece(fd, &buffer->pieces[i]);
	return r;
}

static void *writer_main(void *arg)
{
	struct page_writer *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->over) {
		const struct buffer *buffer = &w->buffers[w->done % BUFFERS];
		int r;

		if (w->done == w->filled) {
			pthread_cond_wait(&w->submitted, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		r = write_buffer(w->fd, buffer);
		pthread_mutex_lock(&w->lock);
		if (r < 0 && !w->failure)
			w->failure = r;
		w->done++;
		pthread_cond_signal(&w->written);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* It takes no signals: they are the caller's. */
static void start_thread(struct page_writer *w)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	w->started = pthread_create(&w->thread, NULL, writer_main, w) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct page_writer *page_writer_new(int fd)
{
	struct page_writer *w = calloc(1, sizeof(*w));
	void *bytes;

	if (!w || posix_memalign(&bytes, 4096, (size_t)BUFFERS * PAGE_WRITER_BUFFER) != 0) {
		free(w);
		return NULL;
	}
	for (size_t i = 0; i < BUFFERS; i++)
		w->buffers[i].bytes = (unsigned char *)bytes + i * PAGE_WRITER_BUFFER;
	w->fd = fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->submitted, NULL);
	pthread_cond_init(&w->written, NULL);
	start_thread(w);
	return w;
}

void page_writer_free(struct page_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->submitted);
	pthread_mutex_unlock(&w->lock);
	if (w->started)
		pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->submitted);
	pthread_cond_destroy(&w->written);
	free(w->buffers[0].bytes);
	free(w->gaps);
	free(w);
}

unsigned char *page_writer_buffer(struct page_writer *w)
{
	struct buffer *buffer = &w->buffers[w->filled % BUFFERS];
	int failure;

	pthread_mutex_lock(&w->lock);
	while (w->filled - w->done == BUFFERS)
		pthread_cond_wait(&w->written, &w->lock);
	failure = w->failure;
	pthread_mutex_unlock(&w->lock);
	buffer->count = 0;
	return failure ? NULL : buffer->bytes;
}

static void note_gap(struct page_writer *w, uint64_t start, uint64_t end)
{
	if (w->n_gaps == w->cap_gaps) {
		size_t cap = w->cap_gaps ? w->cap_gaps * 2 : 256;
		struct stream_gap *grown = reallocarray(w->gaps, cap, sizeof(*grown));

		if (!grown)
			return;
		w->gaps = grown;
		w->cap_gaps = cap;
	}
	w->gaps[w->n_gaps++] = (struct stream_gap){start, end};
}

const struct stream_gap *page_writer_gaps(const struct page_writer *w, size_t *ret_count)
{
	*ret_count = w ? w->n_gaps : 0;
	return w ? w->gaps : NULL;
}

void page_writer_add(struct page_writer *w, const unsigned char *data, size_t size, uint64_t offset)
{
	struct buffer *buffer = &w->buffers[w->filled % BUFFERS];

	if (offset > w->reach && w->reach)
		note_gap(w, w->reach, offset);
	w->reach = offset + size;
	buffer->pieces[buffer->count++] = (struct piece){data, size, offset};
}

void page_writer_submit(struct page_writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (!w->started) {
		int r = write_buffer(w->fd, &w->buffers[w->filled % BUFFERS]);

		w->done++;
		if (r < 0 && !w->failure)
			w->failure = r;
	}
	w->filled++;
	pthread_cond_signal(&w->submitted);
	pthread_mutex_unlock(&w->lock);
}

int page_writer_drain(struct page_writer *w, struct jsnap_error *err)
{
	int failure;

	pthread_mutex_lock(&w->lock);
	while (w->done != w->filled)
		pthread_cond_wait(&w->written, &w->lock);
	failure = w->failure;
	pthread_mutex_unlock(&w->lock);
	if (failure)
		return error_set(err, -failure, "write the snapshot's pages: %s",
				 strerror(-failure));
	return 0;
}
