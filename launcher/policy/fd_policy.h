/*
 * What becomes of the descriptors that lead out of the application: rules, the first that fits
 * counts. The application's own come first (--fd-policy, then the file of CRaC's rules), behind
 * them the defaults, which let unmodified applications live: connections and pipes come back as
 * ended by the other side, everything else as it was.
 *
 * A rule as jsnap writes it is KIND[:PATTERN]=ACTION, see fd_policy_parse.
 *
 * What the JVM has its classes from is spared: a rule for files is for the program's, as CRaC's
 * are, and a JVM whose own files were closed would crash. A rule that names one in full, or its
 * number, is meant.
 */
#ifndef JSNAP_LAUNCHER_FD_POLICY_H
#define JSNAP_LAUNCHER_FD_POLICY_H

#include "checkpoint/checkpoint.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define FD_POLICY_MAX 4096u /* rules */

struct fd_rule {
	unsigned kinds; /* bits 1 << CHECKPOINT_FD_... */
	int fd;		/* -1: any */
	int family;	/* AF_INET, AF_INET6, AF_UNIX; 0: any */
	bool inet;	/* IPv4 or IPv6 */
	/* Globs, owned; NULL: any. `name` of the path; addresses of "HOST", ports of "PORT", or for
	 * a Unix socket both of the path; `either` of "HOST:PORT" or path of the end that tells
	 * most: the remote one of a connection, the local one of other sockets. */
	char *name, *either, *local_address, *local_port, *remote_address, *remote_port;
	regex_t *regex; /* owned; of the name */
	enum checkpoint_action action;
	bool by_default; /* the action is that of the rules behind the application's own */
};

struct fd_policy {
	struct fd_rule *rules; /* owned */
	size_t count;
	bool defaults;			/* else what no rule fits is carried exactly or refused */
	const struct fd_policy *before; /* whose rules count first, or NULL */
	char **spared;			/* owned; paths, those that end with / of folders */
	size_t n_spared;
	bool refused; /* by fd_policy_decide, on account of this descriptor */
	int refused_fd;
};

/*
 * KIND is file, pipe, tcp, listen, udp, unix, other or fd; PATTERN a glob (glob.h) of the path, of
 * HOST:PORT, of the Unix socket's path, or for fd the number. ACTION is carry, end, reopen, keep,
 * close or error.
 */
int fd_policy_parse(const char *text, struct fd_rule *ret_rule, struct jsnap_error *err);

/* Appends a rule, which it takes over whatever happens. */
int fd_policy_add(struct fd_policy *policy, struct fd_rule *rule, struct jsnap_error *err);
void fd_rule_free(struct fd_rule *rule);
void fd_policy_free(struct fd_policy *policy);
#define CLEANUP_FD_POLICY __attribute__((cleanup(fd_policy_free)))

/* Spares the file, or, with `below`, all in the folder; nothing when there is none. */
int fd_policy_spare(struct fd_policy *policy, const char *path, bool below,
		    struct jsnap_error *err);

/* Whether some rule says error. */
bool fd_policy_may_refuse(const struct fd_policy *policy);

/* For checkpoint_policy.decide, with a struct fd_policy. */
enum checkpoint_action fd_policy_decide(void *policy, const struct checkpoint_fd *fd);

#endif
