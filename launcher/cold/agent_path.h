/*
 * Where the agent's library is, from where jsnap itself is: nothing is compiled in, so that an
 * unpacked archive and a build tree work like an installation.
 */
#ifndef JSNAP_LAUNCHER_AGENT_PATH_H
#define JSNAP_LAUNCHER_AGENT_PATH_H

#include "base/error.h"

#define AGENT_LIBRARY "libjsnap-agent.so"

/*
 * $JSNAP_AGENT (a file), else beside the executable as installed (PREFIX/bin and PREFIX/lib/jsnap,
 * PREFIX/lib64/jsnap or PREFIX/lib/TRIPLET/jsnap), else in the build tree (launcher/ and agent/).
 * *ret_path is absolute and owned by the caller (free). -ENOENT names the places.
 */
int agent_path_find(const char *override, char **ret_path, struct jsnap_error *err);

/* Pure but for access(2): the same from the executable's path. */
int agent_path_beside(const char *executable, char **ret_path, struct jsnap_error *err);

#endif
