/*
 * A restored process holds no capability in any set of any thread, is dumpable, and has the ids it
 * had: what jsnap needed for its own work is gone.
 */
#include "victim.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>

static volatile bool leave;

static void *work(void *arg)
{
	while (!leave)
		victim_sleep_ms(2);
	return arg;
}

static void check_thread(const char *tid)
{
	static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
	char path[300], line[256];
	FILE *f;
	int seen = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "re");
	SETUP(f);
	while (fgets(line, sizeof(line), f)) {
		for (int i = 0; i < 4; i++) {
			if (strncmp(line, sets[i], 7) != 0)
				continue;
			seen++;
			if (strtoull(line + 7, NULL, 16) != 0)
				victim_fault(__FILE__, __LINE__, "thread %s has %s", tid, line);
		}
	}
	fclose(f);
	EXPECT_EQ(seen, 4);
}

static int check_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	SETUP(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.') {
			check_thread(entry->d_name);
			n++;
		}
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	pthread_t threads[3];
	uid_t uid = getuid();
	gid_t gid = getgid();

	victim_init(argc, argv);
	for (int i = 0; i < 3; i++)
		SETUP(pthread_create(&threads[i], NULL, work, NULL) == 0);
	victim_ready();
	EXPECT_EQ(check_threads(), 4);
	EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	EXPECT_EQ(getuid(), uid);
	EXPECT_EQ(geteuid(), uid);
	EXPECT_EQ(getgid(), gid);
	leave = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return victim_result();
}
