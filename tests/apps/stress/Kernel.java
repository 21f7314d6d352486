/**
 * The code that is compiled again and again: StressMain defines it as hidden classes, each of which
 * the JIT meets anew. The result depends on the argument alone.
 */
public final class Kernel implements java.util.function.IntUnaryOperator {
	@Override
	public int applyAsInt(int seed) {
		int x = seed | 1;
		for (int i = 0; i < 64; i++) {
			x ^= x << 13;
			x ^= x >>> 17;
			x ^= x << 5;
			x += i;
		}
		return x;
	}
}
