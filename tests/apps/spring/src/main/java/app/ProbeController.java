package app;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** What a test asks the process about itself. */
@RestController
class ProbeController {
	private static final int BLOCK = 4096;

	@GetMapping("/hello")
	String hello() {
		return "hello";
	}

	/**
	 * Allocates n blocks of known content, checks each when all exist and answers the CRC-32 of
	 * the whole, which depends on n alone.
	 */
	@GetMapping("/checksum")
	String checksum(@RequestParam("n") int n) {
		if (n < 0 || n > 100_000)
			throw new IllegalArgumentException("n must be between 0 and 100000");
		List<byte[]> blocks = new ArrayList<>(n);
		for (int i = 0; i < n; i++) {
			byte[] block = new byte[BLOCK];
			Arrays.fill(block, (byte) (i * 31 + 7));
			blocks.add(block);
		}
		CRC32 sum = new CRC32();
		for (int i = 0; i < n; i++) {
			for (byte b : blocks.get(i)) {
				if (b != (byte) (i * 31 + 7))
					throw new IllegalStateException("block " + i + " holds " + b);
			}
			sum.update(blocks.get(i));
		}
		return Long.toHexString(sum.getValue());
	}

	@GetMapping("/env")
	String env(@RequestParam("name") String name) {
		return String.valueOf(System.getenv(name));
	}

	@GetMapping("/pid")
	long pid() {
		return ProcessHandle.current().pid();
	}

	@GetMapping("/threads")
	Map<String, String> threads() {
		Map<String, String> states = new TreeMap<>();
		for (Thread t : Thread.getAllStackTraces().keySet())
			states.put(t.getName() + "#" + t.getId(), t.getState().name());
		return states;
	}
}
