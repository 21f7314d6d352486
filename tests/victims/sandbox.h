/*
 * Where one victim is tried: a work folder of its own, an unprivileged user, and an account of
 * every process and file that came into being there.
 */
#ifndef JSNAP_TESTS_VICTIMS_SANDBOX_H
#define JSNAP_TESTS_VICTIMS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SKIPPED 77
#define LACKING 78 /* skipped for what no package brings: a processor, a newer kernel */

enum privilege {		     /* what jsnap has to get original TIDs with */
		 PRIVILEGE_CAP,	     /* file capability cap_checkpoint_restore=p */
		 PRIVILEGE_USERNS,   /* nothing: a new user and PID namespace */
		 PRIVILEGE_WALK,     /* nothing, in a young PID namespace, as in a container */
		 PRIVILEGE_LAST_PID, /* every capability in such a namespace */
};

struct sandbox {
	char dir[64];	  /* work folder; holds bin/ images/ tmp/ home/ v/ and the outputs */
	char jsnap[128];  /* the program under test, a copy that the privilege was given to */
	bool no_clone3;	  /* "restore" has no clone3(2), as under containers' default filters */
	bool confined;	  /* "victim" and "dump" are under a filter that denies nothing of use */
	bool filtered;	  /* "dump" may neither duplicate another's descriptors nor compare them */
	int proc_mounts;  /* on /proc, before anything was done */
	char victim[128]; /* a copy too, for the build tree may be closed to the user */
};

/*
 * Makes the folder, gives the jsnap copy its capability (as root, or takes the ready-made binary
 * named by $JSNAP_TEST_CAP_JSNAP), becomes an unprivileged user if root: the one of sudo, else
 * nobody; becomes the reaper of all descendants. Exits with SKIPPED and a reason (1 under
 * JSNAP_TEST_STRICT=1) where the machine doesn't allow the privilege.
 */
void sandbox_enter(struct sandbox *box, enum privilege privilege, const char *jsnap,
		   const char *victim);

/* Prints the reason and exits with SKIPPED, or with 1 under JSNAP_TEST_STRICT=1. */
void sandbox_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Starts argv in a session of its own, output in NAME.out and NAME.err of the folder. */
pid_t sandbox_spawn(const struct sandbox *box, const char *name, const char *const argv[]);

/* Waits for the child: its wait status, or -1 with a message when it outlives `seconds`. */
int sandbox_wait(pid_t pid, double seconds);

/* The child of `parent` that its own PID namespace knows as `number`, or 0. */
pid_t sandbox_find_child(pid_t parent, pid_t number);

/* Kills and reaps what is left; returns how many there were and names each on stderr. */
int sandbox_leftovers(void);

/* Number of entries in folder NAME of the work folder, those named in `expected` not counted. */
int sandbox_strangers(const struct sandbox *box, const char *name, char *const expected[]);

/* Mounts in the work folder and on /proc that were not there when it was made; names them on
 * stderr. */
int sandbox_mounts(const struct sandbox *box);

void sandbox_remove(const struct sandbox *box);

void sandbox_show(const struct sandbox *box, const char *file); /* copies an output to stderr */
bool sandbox_contains(const struct sandbox *box, const char *file, const char *words);

double now_seconds(void);
void sleep_seconds(double seconds);

#endif
