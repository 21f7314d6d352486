package jsnap.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;

/**
 * The context behind Core.getGlobalContext(), with the properties that the package documentation of
 * org.crac promises: weak references, newest first before a snapshot and oldest first after it,
 * everyone is told whatever others threw, and everything thrown is suppressed in one exception.
 *
 * <p>What is registered while a snapshot is being announced is told too, next. What is registered
 * while a restore is being announced belongs to the new world and is not.
 *
 * <p>Resources are compared by identity: nothing of theirs but the two notifications is called.
 */
final class GlobalContext extends Context<Resource> {
	private static final int FEW = 1000;

	private final List<Entry> entries = new ArrayList<>();
	private int many = FEW; /* entries: time to look for resources that are gone */

	private static final class Entry {
		final WeakReference<Resource> resource;
		/** From its beforeCheckpoint to its afterRestore: a told resource does not vanish. */
		Resource told;

		Entry(Resource resource) {
			this.resource = new WeakReference<>(resource);
		}
	}

	@Override
	public synchronized void register(Resource resource) {
		if (resource == null)
			throw new NullPointerException("resource");
		if (entries.size() >= many) {
			forget();
			many = FEW + 2 * entries.size();
		}
		entries.add(new Entry(resource));
	}

	private void forget() {
		int kept = 0;
		for (Entry entry : entries)
			if (entry.told != null || entry.resource.get() != null)
				entries.set(kept++, entry);
		entries.subList(kept, entries.size()).clear();
	}

	synchronized boolean isEmpty() {
		forget();
		return entries.isEmpty();
	}

	/** The newest that was not told yet, now marked as told. */
	private synchronized Resource nextToTell() {
		for (int i = entries.size() - 1; i >= 0; i--) {
			Entry entry = entries.get(i);
			Resource resource = entry.told == null ? entry.resource.get() : null;
			if (resource != null) {
				entry.told = resource;
				return resource;
			}
		}
		return null;
	}

	private synchronized List<Entry> toldEntries() {
		List<Entry> told = new ArrayList<>();
		for (Entry entry : entries)
			if (entry.told != null)
				told.add(entry);
		return told;
	}

	@Override
	public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
		CheckpointException all = new CheckpointException();
		for (Resource resource; (resource = nextToTell()) != null;) {
			try {
				resource.beforeCheckpoint(this);
			} catch (Throwable e) {
				collect(all, e);
			}
		}
		if (all.getSuppressed().length > 0)
			throw all;
	}

	@Override
	public void afterRestore(Context<? extends Resource> context) throws RestoreException {
		RestoreException all = new RestoreException();
		for (Entry entry : toldEntries()) {
			Resource resource = entry.told;
			entry.told = null;
			try {
				resource.afterRestore(this);
			} catch (Throwable e) {
				collect(all, e);
			}
		}
		if (all.getSuppressed().length > 0)
			throw all;
	}

	/** A nested context's exception stands for those it suppresses, whoever's class it is, and for its own words. */
	static void collect(Throwable all, Throwable thrown) {
		if (!isOfContext(thrown) || thrown.getSuppressed().length == 0) {
			all.addSuppressed(thrown);
			return;
		}
		if (thrown.getMessage() != null || thrown.getCause() != null)
			all.addSuppressed(alone(thrown));
		for (Throwable one : thrown.getSuppressed())
			all.addSuppressed(one);
	}

	/** The same without what it suppresses, which cannot be taken out of an exception. */
	private static Throwable alone(Throwable thrown) {
		String words = thrown.getMessage();
		Throwable copy = thrown.getClass().getName().endsWith("RestoreException")
				? new RestoreException(words) : new CheckpointException(words);
		copy.setStackTrace(thrown.getStackTrace());
		return thrown.getCause() == null ? copy : copy.initCause(thrown.getCause());
	}

	private static boolean isOfContext(Throwable thrown) {
		String name = thrown.getClass().getName();
		return thrown instanceof CheckpointException || thrown instanceof RestoreException
				|| name.equals("org.crac.CheckpointException") || name.equals("org.crac.RestoreException");
	}
}
