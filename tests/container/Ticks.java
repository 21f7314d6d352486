import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** Says a line a tick, with the wall clock's time, and each time that nanoTime is not what it should be. */
public class Ticks {
	private static long last = System.nanoTime(), ticks;

	private static synchronized void look(String who) {
		long now = System.nanoTime();
		if (now < last)
			System.out.println("BACKWARDS " + who + " by " + (last - now) + " ns");
		last = now;
	}

	public static void main(String[] args) throws Exception {
		var pool = Executors.newScheduledThreadPool(2);
		pool.scheduleAtFixedRate(() -> {
			look("tick");
			System.out.println("tick " + ++ticks + " " + System.currentTimeMillis());
		}, 200, 200, TimeUnit.MILLISECONDS);
		pool.scheduleWithFixedDelay(() -> look("delay"), 10, 10, TimeUnit.MILLISECONDS);
		pool.schedule(() -> System.out.println("EARLY"), 2, TimeUnit.HOURS);
		System.out.println("up");
		Object lock = new Object();
		for (;;) {
			synchronized (lock) {
				lock.wait(50);
			}
			look("main");
		}
	}
}
