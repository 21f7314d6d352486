/*
 * A file's content as a number that costs next to nothing to learn, for files whose time or inode
 * is another than it was: a copy in a container image's layer, say.
 *
 * A jar is known by its central directory, which holds name, size and CRC-32 of every entry
 * (PKWARE's APPNOTE, 4.3.12 and 4.3.16): some ten kilobytes at the end of tens of megabytes.
 * Another file of at most CONTENT_PRINT_MAX bytes by all of them. Good against change, not against
 * an attacker, whom ownership keeps out.
 */
#ifndef JSNAP_LAUNCHER_CONTENT_PRINT_H
#define JSNAP_LAUNCHER_CONTENT_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_PRINT_MAX (1u << 20) /* bytes of a file that is no jar */
#define CONTENT_PRINT_JAR (1u << 26) /* bytes of a central directory */

/* false: too large, no plain zip file (zip64 neither), or not to be read. */
bool content_print(const char *path, uint64_t *ret_print);

#endif
