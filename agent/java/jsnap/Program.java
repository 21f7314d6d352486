package jsnap;

/**
 * What a program under jsnap can know of itself. Its class file is in the JVM whenever the agent is, and
 * in jsnap.jar to compile against.
 */
public final class Program {
	/* Written by the agent, before the program's threads go on. */
	private static volatile String[] arguments;
	private static volatile long restoredAt = -1;
	private static volatile long restoredNanos;

	private Program() {
	}

	/** The arguments of this restore (`jsnap restore KEY -- ARGUMENTS`); null when it got none. */
	public static String[] arguments() {
		String[] given = arguments;
		return given == null ? null : given.clone();
	}

	/** When the program was restored, in milliseconds since the epoch; -1 when it was not. */
	public static long restoreTime() {
		return restoredAt;
	}

	/** Milliseconds since it was restored; -1 when it was not. */
	public static long uptimeSinceRestore() {
		return restoredAt < 0 ? -1 : (System.nanoTime() - restoredNanos) / 1_000_000;
	}
}
