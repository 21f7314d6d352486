/*
 * CRaC's file descriptor policies (https://docs.azul.com/core/crac/fd-policies), the file that
 * -Djdk.crac.resource-policies names, as rules of fd_policy.h. It is less than YAML (`path: **` is
 * none), so it is read by its own description: `key: value` lines, rules divided by lines of three
 * dashes, comments from # at the beginning of a line.
 *
 * ignore leaves a descriptor to the engine: here to jsnap's default rules. close of a connection
 * lets it come back as closed by its peer, so that whoever waits for it wakes; of anything else its
 * number answers EBADF. A key or value that is not known is an error that names the line: a rule
 * that was meant for one file must not fit all of them.
 */
#ifndef JSNAP_LAUNCHER_CRAC_POLICIES_H
#define JSNAP_LAUNCHER_CRAC_POLICIES_H

#include "launcher/policy/fd_policy.h"

#define CRAC_POLICIES_MAX (256u << 10) /* bytes of a file */

/* Appends the rules of a text; `name` is for errors: "NAME:LINE". */
int crac_policies_parse(struct fd_policy *policy, const char *text, size_t size, const char *name,
			struct jsnap_error *err);
int crac_policies_load(struct fd_policy *policy, const char *path, struct jsnap_error *err);

/* The file that java's options name, or NULL. Points into argv. */
const char *crac_policies_property(char *const *java_argv);

#endif
