package jsnap;

import java.security.SecureRandom;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Values of each random source, by which two restores can be told apart (`jsnap verify --uniqueness`). */
final class Sample {
	private static final int VALUES = 1000;
	private static final String[] SOURCES = {"Math.random", "ThreadLocalRandom", "Random", "SplittableRandom",
			"UUID", "SecureRandom", "SHA1PRNG", "DRBG"};

	private Sample() {
	}

	/** "SOURCE=VALUE,VALUE,..." for each; by the agent, in its own thread. */
	private static String[] take() throws Exception {
		String[] samples = new String[SOURCES.length];
		for (int i = 0; i < samples.length; i++) {
			StringBuilder text = new StringBuilder(SOURCES[i] + "=");
			SecureRandom secure = null;
			if (SOURCES[i].equals("SecureRandom"))
				secure = new SecureRandom();
			else if (i > 5)
				secure = SecureRandom.getInstance(SOURCES[i]);
			for (int n = 0; n < VALUES; n++)
				text.append(n == 0 ? "" : ",")
						.append(Long.toHexString(secure != null ? secure.nextLong() : value(i)));
			samples[i] = text.toString();
		}
		return samples;
	}

	private static long value(int source) {
		return switch (source) {
		case 0 -> Double.doubleToRawLongBits(Math.random());
		case 1 -> ThreadLocalRandom.current().nextLong();
		case 2 -> new Random().nextLong();
		case 3 -> new SplittableRandom().nextLong();
		default -> UUID.randomUUID().getMostSignificantBits();
		};
	}
}
