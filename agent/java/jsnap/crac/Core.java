package jsnap.crac;

/**
 * What org.crac.Core finds behind the property org.crac.Core.Compat.
 *
 * <p>A snapshot asked for by the application is announced in the thread that asks, one asked for from
 * outside in a thread of its own ({@link Announcement}).
 */
public final class Core {
	static final GlobalContext context = new GlobalContext();

	private Core() {
	}

	public static Context<Resource> getGlobalContext() {
		return context;
	}

	/**
	 * Announces and takes a snapshot; returns when the program goes on, here or restored.
	 *
	 * @throws CheckpointException there is none; a resource's own exceptions are suppressed in it
	 * @throws RestoreException the program is a restored one, and resources threw
	 * @throws UnsupportedOperationException nobody is there to take one
	 */
	public static void checkpointRestore() throws CheckpointException, RestoreException {
		if (!Agent.connected())
			throw new UnsupportedOperationException("jsnap, which takes snapshots, is gone");
		if (!Turn.take())
			throw failed("a snapshot is being taken already, by this thread");
		try {
			take();
		} finally {
			Turn.give();
		}
	}

	/** Wrappers look at what an exception suppresses alone: so that is where the words are, too. */
	private static CheckpointException failed(String words) {
		CheckpointException e = new CheckpointException(words);
		e.addSuppressed(new CheckpointException(words));
		return e;
	}

	private static void take() throws CheckpointException, RestoreException {
		CheckpointException failure = null;
		Watch watch = new Watch("beforeCheckpoint");
		try {
			context.beforeCheckpoint(null);
		} catch (CheckpointException e) {
			failure = e;
		}
		watch.end();
		if (failure == null) {
			String reason = Agent.snapshot();
			if (reason != null)
				failure = failed(reason);
		}
		RestoreException after = null;
		watch = new Watch("afterRestore");
		try {
			context.afterRestore(null);
		} catch (RestoreException e) {
			after = e;
		}
		watch.end();
		if (failure == null && after != null)
			throw after;
		if (failure == null)
			return;
		if (after != null)
			for (Throwable e : after.getSuppressed())
				failure.addSuppressed(e);
		throw failure;
	}
}
