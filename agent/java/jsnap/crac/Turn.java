package jsnap.crac;

import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** One snapshot at a time, whichever thread begins and whichever ends it. */
final class Turn {
	private static final Semaphore free = new Semaphore(1, true);
	private static volatile Thread holder;

	private Turn() {
	}

	/** False when this very thread has it: a resource that asks while it is being told. */
	static boolean take() {
		if (holder == Thread.currentThread())
			return false;
		free.acquireUninterruptibly();
		holder = Thread.currentThread();
		return true;
	}

	/** For a thread that will adopt() it; false when it was not free within that time. */
	static boolean take(long milliseconds) throws InterruptedException {
		return free.tryAcquire(milliseconds, TimeUnit.MILLISECONDS);
	}

	/** From now on this thread has it, not the one that took it. */
	static void adopt() {
		holder = Thread.currentThread();
	}

	static void give() {
		holder = null;
		free.release();
	}
}
