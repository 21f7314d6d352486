package jsnap;

/** Attributes as in jdk.crac.management.CRaCMXBean, under the same object name. */
public interface RestoreMXBean {
	String OBJECT_NAME = "jdk.management:type=CRaC";

	/** -1 when the program was not restored. */
	long getUptimeSinceRestore();

	/** In milliseconds since the epoch; -1 when the program was not restored. */
	long getRestoreTime();
}
