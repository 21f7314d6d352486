/*
 * See held_threads.h. The compilers would begin at once to compile what warm-up left to them, on
 * memory of theirs that nobody has touched yet, and the periodic task thread does at once all that
 * fell due while the process was frozen: work that can wait until the first response is out.
 * Threads that a safepoint, a collection or a connection waits for are never held: holding a poller
 * costs the response more than all the others together.
 *
 * Names as os::set_native_thread_name leaves them in /proc/PID/comm, 15 characters:
 * compileBroker.cpp, watcherThread (nonJavaThread.cpp), monitorDeflationThread.cpp, sweeper (JDK
 * 17).
 */
#include "launcher/restore/held_threads.h"

#include "base/cleanup.h"

#include <string.h>

uint32_t *held_threads(const struct manifest *m, size_t *ret_count)
{
	static const char *const names[] = {"C1 CompilerThre", "C2 CompilerThre", "VM Periodic Tas",
					    "Monitor Deflati", "Sweeper thread"};
	uint32_t *tids = calloc(m->n_threads + 1u, sizeof(*tids));
	size_t count = 0;

	for (uint32_t i = 0; tids && i < m->n_threads; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (strncmp(m->threads[i].comm, names[k], sizeof(m->threads[i].comm)) == 0)
				tids[count++] = m->threads[i].tid;
	*ret_count = count;
	return tids;
}
