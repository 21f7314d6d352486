package jsnap.crac;

/** What wants to know of snapshots and restores: the contract of org.crac.Resource. */
public interface Resource {
	void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

	void afterRestore(Context<? extends Resource> context) throws Exception;
}
