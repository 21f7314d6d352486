package jsnap.crac;

/**
 * Tells the resources of a snapshot that was asked for from outside, in a thread of its own: one that
 * hangs costs the snapshot and no more. The thread keeps its turn until the program goes on.
 */
final class Announcement extends Thread {
	private static final long LOOK_MS = 10;
	private static final long INTERRUPTED_MS = 1000;

	private static Announcement current;

	private enum Stage { BEFORE, TOLD, AFTER, DONE }

	private Stage stage = Stage.BEFORE;
	private boolean goOn;
	private String failure;

	private Announcement() {
		super(null, null, "jsnap-announcement", 0, false);
		setDaemon(true);
	}

	/**
	 * Before the snapshot; called by the agent. Null when all were told (or nobody is there to be told,
	 * or the application is asking for a snapshot itself just now), else why there can be none. The
	 * agent calls after() in each case.
	 */
	static String before() throws InterruptedException {
		if (current != null)
			return "resources are still being told of the last snapshot";
		if (Core.context.isEmpty())
			return null;
		Announcement announcement = new Announcement();
		for (long end = System.nanoTime() + 1_000_000 * limit(); !Turn.take(LOOK_MS);) {
			if (Agent.asking())
				return null;
			if (System.nanoTime() - end > 0)
				return "the application has been asking for a snapshot itself for too long";
		}
		try {
			announcement.start();
		} catch (OutOfMemoryError e) {
			Turn.give();
			return "there is no thread to tell them in: " + e.getMessage();
		}
		current = announcement;
		return announcement.await(Stage.TOLD, "beforeCheckpoint");
	}

	/** The program goes on, here or restored. */
	static void after() throws InterruptedException {
		Announcement announcement = current;
		if (announcement == null)
			return;
		synchronized (announcement) {
			announcement.goOn = true;
			announcement.failure = null;
			announcement.notifyAll();
			if (announcement.stage == Stage.BEFORE)
				return; /* it hangs: the rest follows when it does not */
		}
		String failure = announcement.await(Stage.DONE, "afterRestore");
		if (failure != null)
			Agent.note(failure);
	}

	private static long limit() {
		return Agent.timeout() > 0 ? Agent.timeout() : Long.MAX_VALUE / 2_000_000;
	}

	private synchronized String await(Stage wanted, String what) throws InterruptedException {
		String hanging = null;
		for (int round = 0; round < 2; round++) {
			long end = System.nanoTime() + 1_000_000 * (round == 0 ? limit() : INTERRUPTED_MS);
			for (long left; stage.compareTo(wanted) < 0 && (left = (end - System.nanoTime()) / 1_000_000) > 0;)
				wait(left);
			if (stage.compareTo(wanted) >= 0)
				break;
			if (round == 0) {
				hanging = Report.hanging(what, this);
				interrupt();
			}
		}
		return hanging != null ? hanging : failure;
	}

	private synchronized void reached(Stage stage, String failure) {
		this.stage = stage;
		this.failure = failure;
		notifyAll();
	}

	private synchronized void awaitEnd() {
		while (!goOn) {
			try {
				wait();
			} catch (InterruptedException e) {
				/* it is over when the agent says so */
			}
		}
		Thread.interrupted();
		stage = Stage.AFTER;
	}

	@Override
	public void run() {
		String words = null;
		Turn.adopt();
		try {
			Core.context.beforeCheckpoint(null);
		} catch (Throwable e) {
			words = Report.of("beforeCheckpoint", e);
		}
		reached(Stage.TOLD, words);
		awaitEnd();
		words = null;
		try {
			Core.context.afterRestore(null);
		} catch (Throwable e) {
			words = Report.of("afterRestore", e);
		}
		current = null;
		Turn.give();
		reached(Stage.DONE, words);
	}
}
