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
		StringWriter text = new StringWriter();
		try (PrintWriter out = new PrintWriter(text)) {
			out.println(what + ": " + each.length + (each.length == 1 ? " exception: " : " exceptions, first: ")
					+ (each.length > 0 ? each[0] : all));
			for (Throwable one : each)
				one.printStackTrace(out);
		}
		return text.toString();
	}

	/** The innermost notification a thread stands in, and its stack. */
	static String hanging(String what, Thread thread) {
		StackTraceElement[] stack = thread.getStackTrace();
		String culprit = null;
		for (StackTraceElement frame : stack)
			if (culprit == null && frame.getMethodName().equals(what))
				culprit = frame.getClassName();
		StringBuilder text = new StringBuilder(what + " of " + (culprit == null ? "a resource" : culprit)
				+ " has not returned within " + Agent.timeout() / 1000.0 + " s (--hook-timeout)\n");
		for (StackTraceElement frame : stack)
			text.append("\tat ").append(frame).append('\n');
		return text.toString();
	}
}
