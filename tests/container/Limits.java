import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** Says, over and over, what the JVM takes for its limits. */
public class Limits {
	public static void main(String[] args) throws Exception {
		OperatingSystemMXBean os = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
		for (;;) {
			System.out.println("processors " + Runtime.getRuntime().availableProcessors() + " memory "
					+ (os.getTotalMemorySize() >> 20) + " heap " + (Runtime.getRuntime().maxMemory() >> 20));
			Thread.sleep(100);
		}
	}
}
