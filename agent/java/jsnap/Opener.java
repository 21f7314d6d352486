package jsnap;

/** The Java stack of who opens a descriptor just now; called from beneath the JDK's native methods. */
final class Opener {
	private static final int FRAMES = 12;

	private Opener() {
	}

	/** From where java.base is left on: what is above that opened it on somebody's behalf. */
	private static String stack() {
		StackTraceElement[] frames = new Throwable().getStackTrace();
		StringBuilder text = new StringBuilder();
		int first = 1; /* behind this method */
		while (first < frames.length && "java.base".equals(frames[first].getModuleName()))
			first++;
		if (first == frames.length)
			first = 1;
		for (int i = first; i < frames.length && i < first + FRAMES; i++)
			text.append(i == first ? " at " : ", at ").append(frames[i]);
		return text.toString();
	}
}
