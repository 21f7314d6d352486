/*
 * What is read of every thread of the target from outside, by two of our own where there are many:
 * /proc makes what it shows of a thread when it is asked, some 10 us a file.
 */
#include "checkpoint/capture.h"

#include <pthread.h>

#define MANY 128u /* threads; to start one of our own costs as much as to look at some */

struct share {
	const struct capture *c;
	capture_look *look;
	void *ctx;
	size_t from, to;
	int r;
	struct jsnap_error err;
};

static void *look_at_share(void *arg)
{
	struct share *share = arg;

	for (size_t i = share->from; share->r == 0 && i < share->to; i++)
		share->r = share->look(share->c, i, share->ctx, &share->err);
	return NULL;
}

int capture_each_thread(const struct capture *c, capture_look *look, void *ctx,
			struct jsnap_error *err)
{
	const size_t n = c->tracee.n_threads, half = n < MANY ? n : n / 2;
	struct share shares[2] = {{.c = c, .look = look, .ctx = ctx, .from = 0, .to = half},
				  {.c = c, .look = look, .ctx = ctx, .from = half, .to = n}};
	pthread_t thread;
	bool two = half < n && pthread_create(&thread, NULL, look_at_share, &shares[1]) == 0;
	const struct share *failed;

	look_at_share(&shares[0]);
	if (two)
		pthread_join(thread, NULL);
	else
		look_at_share(&shares[1]);
	failed = shares[0].r < 0 ? &shares[0] : &shares[1];
	if (failed->r < 0 && err)
		*err = failed->err;
	return failed->r;
}
