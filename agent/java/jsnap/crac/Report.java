package jsnap.crac;

import java.io.PrintWriter;
import java.io.StringWriter;

/** Exceptions and hanging threads in words. */
final class Report {
	private Report() {
	}

	/** The first line says what happened, then each exception in full. */
	static String of(String what, Throwable all) {
		Throwable[] each = all.getSuppressed();
		if (each.length == 0)
			each = new Throwable[] {all};
		StringBuilder text = new StringBuilder(what + ": " + each.length
				+ (each.length == 1 ? " exception: " : " exceptions, first: ") + words(each[0]) + '\n');
		for (Throwable one : each)
			text.append(inFull(one));
		return text.toString();
	}

	/** An exception may throw another when it is asked what it says. */
	private static String words(Throwable one) {
		try {
			return one.toString();
		} catch (Throwable e) {
			return one.getClass().getName() + ", which does not tell its words";
		}
	}

	private static String inFull(Throwable one) {
		StringWriter text = new StringWriter();
		try (PrintWriter out = new PrintWriter(text)) {
			one.printStackTrace(out);
			return text.toString();
		} catch (Throwable e) {
			return words(one) + '\n' + lines(one.getStackTrace());
		}
	}

	private static String lines(StackTraceElement[] stack) {
		StringBuilder text = new StringBuilder();
		for (StackTraceElement frame : stack)
			text.append("\tat ").append(frame).append('\n');
		return text.toString();
	}

	/** The innermost notification a thread stands in, and its stack. */
	static String hanging(String what, Thread thread) {
		StackTraceElement[] stack = thread.getStackTrace();
		String culprit = null;
		for (StackTraceElement frame : stack)
			if (culprit == null && frame.getMethodName().equals(what))
				culprit = frame.getClassName();
		return what + " of " + (culprit == null ? "a resource" : culprit) + " has not returned within "
				+ Agent.timeout() / 1000.0 + " s (--hook-timeout)\n" + lines(stack);
	}
}
