/*
 * Time: calls through the vDSO by glibc's cached pointer and by the address in the auxiliary
 * vector, from two threads that read without end; CLOCK_MONOTONIC and CLOCK_BOOTTIME never go
 * backwards.
 */
#include "victim.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

static volatile bool leave;

static void *watch(void *arg)
{
	clockid_t clock = (intptr_t)arg;
	int64_t before = victim_now(clock);

	while (!leave) {
		int64_t now = victim_now(clock);
		struct timespec ts;
		int64_t kernel;

		syscall(SYS_clock_gettime, clock, &ts);
		kernel = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
		/* The vDSO's data page must be the namespace's own: both tell the same time. */
		if (now < before || kernel < now) {
			victim_fault(__FILE__, __LINE__,
				     "clock %d: %" PRId64 ", %" PRId64 ", %" PRId64, clock, before,
				     now, kernel);
			break;
		}
		before = kernel;
		if ((now / 1000) % 16 == 0)
			victim_sleep_ms(1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};
	pthread_t threads[3];
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
	unsigned char elf[4];
	int64_t wall;

	victim_init(argc, argv);
	SETUP(vdso);
	memcpy(elf, (void *)vdso, 4);
	for (int i = 0; i < 3; i++)
		SETUP(pthread_create(&threads[i], NULL, watch, (void *)(intptr_t)clocks[i]) == 0);
	wall = time(NULL);
	victim_ready();
	EXPECT(memcmp((void *)vdso, elf, 4) == 0 && elf[1] == 'E');
	EXPECT_STR(victim_perms((void *)vdso), "r-xp");
	EXPECT(time(NULL) >= wall && time(NULL) < wall + 300);
	victim_sleep_ms(20);
	leave = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return victim_result();
}
