package jsnap.crac;

/**
 * Looks after a thread that tells resources: when that takes longer than the time for it, says where
 * it stands and interrupts it once, which ends every wait that can be ended.
 */
final class Watch extends Thread {
	private final Thread watched = Thread.currentThread();
	private final String what;
	private boolean over, interrupted;

	Watch(String what) {
		super(null, null, "jsnap-watch", 0, false);
		this.what = what;
		setDaemon(true);
		if (Agent.timeout() > 0 && !Core.context.isEmpty())
			begin();
	}

	/** Where there is no thread to be had nobody watches, and resources are told all the same. */
	private void begin() {
		try {
			start();
		} catch (OutOfMemoryError e) {
			over = true;
		}
	}

	@Override
	public void run() {
		long end = System.nanoTime() + Agent.timeout() * 1_000_000;
		synchronized (this) {
			try {
				for (long left; !over && (left = (end - System.nanoTime()) / 1_000_000) > 0;)
					wait(left);
			} catch (InterruptedException e) {
				return;
			}
			if (over)
				return;
			Agent.note(Report.hanging(what, watched));
			interrupted = true;
			watched.interrupt();
		}
	}

	/** By the watched thread, which is not to find an interrupt later that nothing has heeded. */
	synchronized void end() {
		over = true;
		notifyAll();
		if (interrupted)
			Thread.interrupted();
	}
}
