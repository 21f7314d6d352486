package jsnap.crac;

/** The way to the native agent, which puts its functions behind these methods. */
final class Agent {
	private Agent() {
	}

	/** Whether jsnap is at the other end. */
	static native boolean connected();

	/** Whether a thread stands in snapshot(). */
	static native boolean asking();

	/** Asks jsnap for a snapshot and returns when the program goes on: null, or why there is none. */
	static native String snapshot();

	/** Milliseconds for telling all resources; 0: no limit. */
	static native long timeout();

	/** Words for jsnap's log. */
	static native void note(String words);
}
