/*
 * Takes one victim through jsnap and asks it afterwards whether all is as it was.
 *
 * A victim gets a folder (v/ of the work folder) as first argument, sets up its kernel object,
 * creates `ready` there and then looks every few milliseconds for `go`; a file `ping` it removes,
 * which tells that it is alive. After `go` it checks itself: exit 0, or a message and exit 1; 77
 *says that the kernel lacks what it wants to set up.
 *
 * runner --jsnap FILE --mode cap|userns|walk|ns-last-pid [--give KIND] [scenario] -- VICTIM
 *[ARGUMENT...]
 *	--generations N	dump (which kills), restore; N times over, then go (default, N = 1)
 *	--live N	dump --leave-running, N times over, then go
 *		[--inspect WORDS: of the first image, split by |, which inspect must say]
 *	--left N	dump --leave-running, N times over, each image restored in its place, then
 *			go
 *	--refuse WORDS	dump must fail with 125 and name WORDS (several: split by |), then go
 *		[--restored: of the victim once restored, when it has made `changed`]
 *	--refuse-restore WORDS	restore must fail with 125 and name WORDS
 *	--kill-dump N	jsnap dies by SIGKILL at N random moments of a dump: the
 *			program goes on, the image is the old or the new one; then go
 *	--kill-restore N	jsnap dies by SIGKILL at N random moments of a restore,
 *			nothing stays
 *	--race N	SIGSTOP and SIGCONT hit it at N moments of a dump --leave-running, then go
 *	--stop N	SIGSTOP and SIGCONT, no jsnap: what the kernel itself does to the victim
 * --dump-option WORD	goes to every dump; repeatable
 * --no-clone3		a restore has no clone3(2)
 * --seed N		the moments of an earlier run; it is printed
 * --confined		victim and dump run under a filter that a restore does not
 * --filtered		a dump may not duplicate or compare descriptors of another process
 */
#include "given.h"
#include "sandbox.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 100.0 /* seconds for any one step; generous, for two cores may be shared */

static struct sandbox box;
static enum privilege privilege;
static const char *dump_options[16];
static int n_dump_options;
static char *const *command_line;
static int command_words;
static long seed; /* of the random moments; 0: there are none */

static void fail(const char *what)
{
	char names[] = "victim.err\0dump.err\0restore.err\0";

	fprintf(stderr, "FAILED: %s\n", what);
	for (char *name = names; *name; name += strlen(name) + 1)
		sandbox_show(&box, name);
	sandbox_leftovers();
	fprintf(stderr, "kept: %s\nrun again: '%s'", box.dir, command_line[0]);
	if (seed)
		fprintf(stderr, " --seed %ld", seed);
	for (int i = 1; i < command_words; i++)
		fprintf(stderr, " '%s'", command_line[i]);
	fputc('\n', stderr);
	exit(1);
}

static void touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(name);
	close(fd);
}

/* Waits until the file exists (or is gone), while `pid`, a child, must not end. */
static void await(const char *name, bool present, pid_t pid, const char *what)
{
	double deadline = now_seconds() + PATIENCE;
	siginfo_t info = {0};

	while ((access(name, F_OK) == 0) != present) {
		info.si_pid = 0;
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid) {
			if (info.si_code == CLD_EXITED &&
			    (info.si_status == SKIPPED || info.si_status == LACKING)) {
				sandbox_show(&box, "victim.err");
				waitpid(pid, NULL, 0);
				/* No installed package brings what the machine itself lacks. */
				if (info.si_status == LACKING)
					unsetenv("JSNAP_TEST_STRICT");
				sandbox_skip("the victim found no way to set itself up");
			}
			fprintf(stderr, "it ended: %s %d\n",
				info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
			fail(what);
		}
		if (now_seconds() > deadline)
			fail(what);
		sleep_seconds(0.002);
	}
}

static void ping(pid_t pid, const char *what)
{
	touch("v/ping");
	await("v/ping", false, pid, what);
}

static pid_t start_victim(char *const argv[])
{
	char folder[128];
	const char *words[16] = {box.victim, folder};
	pid_t pid;

	snprintf(folder, sizeof(folder), "%s/v", box.dir);
	for (int i = 0; argv[i] && i < 12; i++)
		words[2 + i] = argv[i];
	pid = sandbox_spawn(&box, "victim", words);
	await("v/ready", true, pid, "the victim did not get ready");
	given_apply(pid);
	return pid;
}

static void finish_victim(pid_t pid, const char *what)
{
	int status;

	touch("v/go");
	status = sandbox_wait(pid, PATIENCE);
	if (status != 0) {
		if (WIFEXITED(status))
			fprintf(stderr, "exit status %d\n", WEXITSTATUS(status));
		else if (WIFSIGNALED(status))
			fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
		fail(what);
	}
}

static pid_t spawn_dump(pid_t pid, const char *image, bool live)
{
	char number[16];
	const char *argv[32] = {box.jsnap, "dump", "--pid", number, "--image", image};
	int n = 6;

	for (int i = 0; i < n_dump_options; i++)
		argv[n++] = dump_options[i];
	if (live)
		argv[n++] = "--leave-running";
	snprintf(number, sizeof(number), "%d", (int)pid);
	return sandbox_spawn(&box, "dump", argv);
}

static void dump(pid_t pid, const char *image, bool live)
{
	double start = now_seconds();
	int status = sandbox_wait(spawn_dump(pid, image, live), PATIENCE);

	if (status != 0)
		fail("jsnap dump failed");
	if (access(image, R_OK) < 0)
		fail("jsnap dump wrote no image");
	printf("dump %.1f ms\n", (now_seconds() - start) * 1e3);
}

static const struct {
	const char *name, *way;
} modes[] = {
	[PRIVILEGE_CAP] = {"cap", "clone3"},
	[PRIVILEGE_USERNS] = {"userns", "userns"},
	[PRIVILEGE_WALK] = {"walk", "walk"},
	[PRIVILEGE_LAST_PID] = {"ns-last-pid", "ns-last-pid"},
};

static bool has_own_namespace(void)
{
	return privilege == PRIVILEGE_WALK || privilege == PRIVILEGE_LAST_PID;
}

static pid_t spawn_restore(const char *image)
{
	const char *argv[16];
	int n = 0;

	/* Where PIDs begin anew, jsnap is PID 1: as in a container. */
	if (has_own_namespace()) {
		argv[n++] = "/usr/bin/unshare";
		argv[n++] = "--map-current-user";
		argv[n++] = "--pid";
		argv[n++] = "--kill-child";
		argv[n++] = "--mount-proc";
		if (privilege == PRIVILEGE_LAST_PID)
			argv[n++] = "--keep-caps";
	}
	argv[n++] = box.jsnap;
	argv[n++] = "restore";
	argv[n++] = "--tids";
	argv[n++] = modes[privilege].way;
	argv[n++] = "--walk-budget"; /* the victim's PID is what the machine gave it: high */
	argv[n++] = "60s";
	argv[n++] = image;
	argv[n] = NULL;
	return sandbox_spawn(&box, "restore", argv);
}

/* Restores and returns once the victim has said that it is alive; *ret_pid is the victim's own. */
static pid_t restore(const char *image, pid_t number, pid_t *ret_pid)
{
	double start = now_seconds();
	pid_t jsnap = spawn_restore(image);

	ping(jsnap, "the restored victim does not answer");
	printf("restore %.1f ms\n", (now_seconds() - start) * 1e3);
	*ret_pid = sandbox_find_child(has_own_namespace() ? sandbox_find_child(jsnap, 1) : jsnap,
				      number);
	if (!*ret_pid)
		fail("the restored process has another PID");
	if (privilege == PRIVILEGE_CAP && *ret_pid != number)
		fail("the restored process sees another PID than its caller");
	return jsnap;
}

static void reap_killed(pid_t pid, bool is_jsnap)
{
	int status = sandbox_wait(pid, PATIENCE);

	if (is_jsnap ? !(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL)
		     : !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		fail(is_jsnap ? "jsnap restore did not report the victim's end by SIGKILL as 137"
			      : "the dumped victim did not end by SIGKILL");
}

/* An image and what jsnap keeps beside it by design: the hot copy and the lock. */
static void remove_image(const char *image)
{
	static const char *const suffixes[] = {"", ".hot", ".lock"};
	char path[256];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", image, suffixes[i]);
		unlink(path);
	}
}

static void check_said(const char *name, char *words, const char *what)
{
	for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|")) {
		if (!sandbox_contains(&box, name, word)) {
			sandbox_show(&box, name);
			fprintf(stderr, "%s does not say \"%s\"\n", name, word);
			fail(what);
		}
	}
}

static void inspect(const char *image, char *words)
{
	const char *argv[] = {box.jsnap, "inspect", image, NULL};

	if (sandbox_wait(sandbox_spawn(&box, "inspect", argv), PATIENCE) != 0)
		fail("jsnap inspect failed");
	check_said("inspect.out", words, "the image is not what it should be");
}

static void run_generations(pid_t victim, int n, char *said)
{
	pid_t parent = victim, pid = victim;
	char image[32];

	for (int i = 1; i <= n; i++) {
		snprintf(image, sizeof(image), "images/%d.jsnap", i);
		dump(pid, image, false);
		if (said && i == 1)
			inspect(image, said);
		reap_killed(parent, parent != victim);
		parent = restore(image, victim, &pid);
		remove_image(image);
	}
	finish_victim(parent, "the restored victim is not what it was");
}

static void run_live(pid_t victim, int n)
{
	for (int i = 1; i <= n; i++) {
		dump(victim, "images/live.jsnap", true);
		ping(victim, "the victim does not answer after dump --leave-running");
	}
	remove_image("images/live.jsnap");
	finish_victim(victim, "dump --leave-running changed the victim");
}

static void run_left(pid_t victim, int n)
{
	pid_t parent = victim, pid = victim;

	for (int i = 1; i <= n; i++) {
		dump(pid, "images/left.jsnap", true);
		ping(parent, "the victim does not answer after dump --leave-running");
		kill(pid, SIGKILL);
		reap_killed(parent, parent != victim);
		parent = restore("images/left.jsnap", victim, &pid);
		remove_image("images/left.jsnap");
	}
	finish_victim(parent, "what was restored in place of a running victim is not what it was");
}

static void run_refused_restore(pid_t victim, char *words)
{
	int status;

	dump(victim, "images/refused.jsnap", false);
	reap_killed(victim, false);
	status = sandbox_wait(spawn_restore("images/refused.jsnap"), PATIENCE);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 125)
		fail("jsnap restore did not refuse with exit status 125");
	check_said("restore.err", words, "the refusal does not name its reason");
	remove_image("images/refused.jsnap");
}

/* Once it is restored it makes itself what is refused. */
static pid_t start_restored(pid_t victim, pid_t *ret_parent)
{
	pid_t pid;

	dump(victim, "images/1.jsnap", false);
	reap_killed(victim, false);
	*ret_parent = restore("images/1.jsnap", victim, &pid);
	remove_image("images/1.jsnap");
	await("v/changed", true, *ret_parent, "the restored victim did not change");
	return pid;
}

static void run_refused(pid_t victim, bool restored, char *words)
{
	pid_t parent = victim, pid = restored ? start_restored(victim, &parent) : victim;
	int status = sandbox_wait(spawn_dump(pid, "images/refused.jsnap", false), PATIENCE);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 125)
		fail("jsnap dump did not refuse with exit status 125");
	check_said("dump.err", words, "the refusal does not name its reason");
	sandbox_show(&box, "dump.err");
	ping(parent, "the refused victim does not answer");
	finish_victim(parent, "the refused dump changed the victim");
}

/* A moment of what took `whole` seconds before, or soon after it. */
static double random_moment(double whole)
{
	return whole * 1.1 * drand48();
}

/* The old image or the new one, never half of one; it need not be one to restore while the victim
 * lives. */
static void check_whole(const char *image)
{
	const char *argv[] = {box.jsnap, "verify", image, NULL};

	unlink("verify.out");
	sandbox_wait(sandbox_spawn(&box, "verify", argv), PATIENCE);
	if (!sandbox_contains(&box, "verify.out", ": whole")) {
		sandbox_show(&box, "verify.out");
		fail("a dump that was killed left half an image");
	}
}

static void run_kill_dump(pid_t victim, int n)
{
	double start, whole;
	int done = 0;

	dump(victim, "images/killed.jsnap", true); /* the first takes longer than the others */
	start = now_seconds();
	dump(victim, "images/killed.jsnap", true);
	whole = now_seconds() - start;
	for (int i = 0; i < n; i++) {
		pid_t jsnap = spawn_dump(victim, "images/killed.jsnap", true);

		sleep_seconds(random_moment(whole));
		kill(jsnap, SIGKILL);
		done += WIFEXITED(sandbox_wait(jsnap, PATIENCE));
		ping(victim, "the victim does not answer after jsnap was killed in a dump");
		check_whole("images/killed.jsnap");
	}
	printf("%d of %d dumps were killed, the others were done before\n", n - done, n);
	/* A kill between link and rename leaves a name, which the next dump removes. */
	dump(victim, "images/killed.jsnap", true);
	remove_image("images/killed.jsnap");
	finish_victim(victim, "a dump that was killed changed the victim");
}

/* jsnap itself: where PIDs begin anew it is the child of what was spawned, which can't be relied on
 * to take it along when it dies between fork and prctl. Its own end takes the namespace along. */
static pid_t jsnap_of(pid_t spawned)
{
	double deadline = now_seconds() + PATIENCE;
	pid_t found = has_own_namespace() ? 0 : spawned;

	while (!found && now_seconds() < deadline)
		found = sandbox_find_child(spawned, 1);
	return found ? found : spawned;
}

/* Every second round has the hot copy to make. */
static void run_kill_restore(pid_t victim, int n)
{
	double start, whole[2]; /* with a hot copy, and without */
	pid_t jsnap, pid;
	int running = 0;

	dump(victim, "images/killed.jsnap", false);
	reap_killed(victim, false);
	start = now_seconds();
	jsnap = restore("images/killed.jsnap", victim, &pid);
	whole[1] = now_seconds() - start;
	kill(jsnap_of(jsnap), SIGKILL);
	sandbox_leftovers();
	start = now_seconds();
	jsnap = restore("images/killed.jsnap", victim, &pid);
	whole[0] = now_seconds() - start;
	for (int i = 0;; i++) {
		pid_t target = jsnap_of(jsnap);

		if (i)
			sleep_seconds(random_moment(whole[i % 2]));
		kill(target, SIGKILL);
		sandbox_wait(jsnap, PATIENCE);
		if (sandbox_leftovers() || sandbox_mounts(&box))
			fail("something outlived the jsnap that was restoring it");
		if (i)
			running += access("v/ping", F_OK) < 0;
		if (i == n)
			break;
		touch("v/ping");
		if (i % 2 == 0)
			unlink("images/killed.jsnap.hot");
		jsnap = spawn_restore("images/killed.jsnap");
	}
	printf("%d of %d restored programs ran before jsnap was killed\n", running, n);
	unlink("v/ping");
	jsnap = restore("images/killed.jsnap", victim, &pid);
	remove_image("images/killed.jsnap");
	finish_victim(jsnap, "the victim restored after killed attempts is not what it was");
}

/* Wherever job control strikes, a dump succeeds or says so, and the victim goes on. */
static void run_race(pid_t victim, int n)
{
	double start = now_seconds(), whole;
	int refused = 0;

	dump(victim, "images/raced.jsnap", true);
	whole = now_seconds() - start;
	for (int i = 0; i < n; i++) {
		pid_t jsnap = spawn_dump(victim, "images/raced.jsnap", true);
		int status;

		sleep_seconds(whole * (i + 1) / (n + 1));
		kill(victim, SIGSTOP);
		if (i % 2)
			sleep_seconds(whole / 4);
		kill(victim, SIGCONT);
		if (i % 3 == 2) {
			kill(victim, SIGSTOP);
			kill(victim, SIGCONT);
		}
		status = sandbox_wait(jsnap, PATIENCE);
		if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != 125))
			fail("jsnap dump neither succeeded nor refused");
		refused += WEXITSTATUS(status) == 125;
		ping(victim, "the victim does not answer after SIGSTOP and SIGCONT in a dump");
	}
	if (refused && !sandbox_contains(&box, "dump.err", "job control"))
		fail("the refusal does not name job control");
	printf("%d of %d dumps refused\n", refused, n);
	remove_image("images/raced.jsnap");
	finish_victim(victim, "SIGSTOP and SIGCONT in a dump changed the victim");
}

static void run_stop(pid_t victim, int n)
{
	for (int i = 0; i < n; i++) {
		kill(victim, SIGSTOP);
		sleep_seconds(0.02);
		kill(victim, SIGCONT);
		ping(victim, "the victim does not answer after SIGCONT");
	}
	finish_victim(victim, "SIGSTOP and SIGCONT changed the victim");
}

static void check_leftovers(void)
{
	char *none[] = {NULL};

	if (sandbox_leftovers() | sandbox_mounts(&box) | sandbox_strangers(&box, "images", none) |
	    sandbox_strangers(&box, "tmp", none) | sandbox_strangers(&box, "home", none))
		fail("something was left behind");
}

struct request {
	const char *jsnap;
	int scenario, times;
	char *words, *give, *said;
	bool restored;
};

static void usage(void)
{
	fputs("usage: runner --jsnap FILE --mode cap|userns|walk|ns-last-pid [--generations N | "
	      "--live N | --left N | "
	      "[--restored] --refuse WORDS |\n\t--refuse-restore WORDS | --kill-dump N | "
	      "--kill-restore N | --race N | --stop N] -- "
	      "VICTIM "
	      "[ARGUMENT...]\n",
	      stderr);
	exit(2);
}

static struct request parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"jsnap", 1, NULL, 'j'},	  {"mode", 1, NULL, 'm'},
		{"generations", 1, NULL, 'g'},	  {"live", 1, NULL, 'l'},
		{"left", 1, NULL, 'L'},		  {"refuse", 1, NULL, 'r'},
		{"refuse-restore", 1, NULL, 'R'}, {"restored", 0, NULL, 'e'},
		{"confined", 0, NULL, 'C'},	  {"kill-dump", 1, NULL, 'd'},
		{"kill-restore", 1, NULL, 'k'},	  {"stop", 1, NULL, 's'},
		{"dump-option", 1, NULL, 'o'},	  {"filtered", 0, NULL, 'f'},
		{"no-clone3", 0, NULL, 'n'},	  {"race", 1, NULL, 'c'},
		{"give", 1, NULL, 'v'},		  {"inspect", 1, NULL, 'i'},
		{"seed", 1, NULL, 'x'},		  {0}};
	struct request request = {.scenario = 'g', .times = 1};
	bool mode = false;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == '?')
			usage();
		if (c == 'j') {
			request.jsnap = optarg;
		} else if (c == 'f') {
			box.filtered = true;
		} else if (c == 'C') {
			box.confined = true;
		} else if (c == 'e') {
			request.restored = true;
		} else if (c == 'n') {
			box.no_clone3 = true;
		} else if (c == 'x') {
			seed = atol(optarg);
		} else if (c == 'o') {
			if (n_dump_options == 16)
				usage();
			dump_options[n_dump_options++] = optarg;
		} else if (c == 'v') {
			request.give = optarg;
		} else if (c == 'i') {
			request.said = optarg;
		} else if (c == 'm') {
			mode = true;
			while (privilege < PRIVILEGE_LAST_PID &&
			       strcmp(optarg, modes[privilege].name) != 0)
				privilege++;
		} else {
			request.scenario = c;
			request.words = optarg;
			request.times = c == 'r' || c == 'R' ? 1 : atoi(optarg);
		}
	}
	if (request.scenario == 'd' || request.scenario == 'k') {
		seed = seed ? seed : time(NULL) ^ (long)getpid() << 16;
		srand48(seed);
		printf("seed %ld\n", seed);
	}
	if (!request.jsnap || !mode || !argv[optind] || request.times < 1)
		usage();
	return request;
}

int main(int argc, char **argv)
{
	struct request request = parse(argc, argv);
	pid_t victim;

	command_line = argv;
	command_words = argc;
	if (request.give)
		given_prepare(request.give);
	sandbox_enter(&box, privilege, request.jsnap, argv[optind]);
	victim = start_victim(argv + optind + 1);
	switch (request.scenario) {
	case 'g':
		run_generations(victim, request.times, request.said);
		break;
	case 'l':
		run_live(victim, request.times);
		break;
	case 'r':
		run_refused(victim, request.restored, request.words);
		break;
	case 'R':
		run_refused_restore(victim, request.words);
		break;
	case 'L':
		run_left(victim, request.times);
		break;
	case 'd':
		run_kill_dump(victim, request.times);
		break;
	case 'k':
		run_kill_restore(victim, request.times);
		break;
	case 'c':
		run_race(victim, request.times);
		break;
	case 's':
		run_stop(victim, request.times);
		break;
	}
	check_leftovers();
	sandbox_remove(&box);
	return 0;
}
