package jsnap;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Values of random sources, by which two restores can be told apart (`jsnap verify --uniqueness`). */
final class Sample {
	private static final int VALUES = 1000;
	private static final int MANY = 32; /* of the program's own: with more, fewer values of each */
	private static final int LIST = 20; /* 20! orders are nearly as many as longs */
	private static final String[] SHARED = {"Math.random", "Collections.shuffle", "ThreadLocalRandom",
			"ThreadLocalRandom.nextGaussian", "new SplittableRandom", "UUID", "new SecureRandom"};

	private Sample() {
	}

	/**
	 * "SOURCE=VALUE,VALUE,..." for each; by the agent, in its own thread. `own` are the program's. By
	 * turns: some have a state in common that lasts for a few values.
	 */
	private static String[] take(SecureRandom[] own) {
		SecureRandom fresh = new SecureRandom();
		String[] samples = new String[SHARED.length + own.length];
		StringBuilder[] texts = new StringBuilder[samples.length];
		for (int i = 0; i < texts.length; i++)
			texts[i] = new StringBuilder(name(i, own) + "=");
		int each = own.length <= MANY ? VALUES : Math.max(4, VALUES * MANY / own.length);
		for (int n = 0; n < VALUES; n++)
			for (int i = 0; i < (n < each ? texts.length : SHARED.length); i++)
				add(texts[i], n, i < SHARED.length ? shared(i, fresh) : own[i - SHARED.length].nextLong());
		for (int i = 0; i < samples.length; i++)
			samples[i] = texts[i].toString();
		return samples;
	}

	private static String name(int source, SecureRandom[] own) {
		int i = source - SHARED.length;
		return i < 0 ? SHARED[source] : "its SecureRandom " + (i + 1) + " (" + own[i].getAlgorithm() + ")";
	}

	private static void add(StringBuilder text, int n, long value) {
		text.append(n == 0 ? "" : ",").append(Long.toHexString(value));
	}

	private static long shared(int source, SecureRandom fresh) {
		return switch (source) {
		case 0 -> Double.doubleToRawLongBits(Math.random());
		case 1 -> order();
		case 2 -> ThreadLocalRandom.current().nextLong();
		case 3 -> Double.doubleToRawLongBits(ThreadLocalRandom.current().nextGaussian());
		case 4 -> new SplittableRandom().nextLong();
		case 5 -> UUID.randomUUID().getMostSignificantBits();
		default -> fresh.nextLong();
		};
	}

	private static long order() {
		List<Integer> list = new ArrayList<>();
		for (int i = 0; i < LIST; i++)
			list.add(i);
		Collections.shuffle(list);
		long order = 0;
		for (int i : list)
			order = order * LIST + i;
		return order;
	}
}
