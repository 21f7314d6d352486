/* One line of maps or smaps (private to maps.c). */
#ifndef JSNAP_PROC_MAPS_LINE_H
#define JSNAP_PROC_MAPS_LINE_H

#include "proc/maps.h"
#include "proc/text.h"

/* Whether the line starts an entry: addresses are lower-case hexadecimal, smaps' keys start with a
 * capital letter. */
static inline bool maps_line_is_entry(struct text line)
{
	return line.p != line.end && text_digit(*line.p) < 16;
}

/*
 * Parses "START-END PERMS OFFSET MAJ:MIN INODE NAME" into *entry, whose name is written to
 * `name_buf` (room for the line's length + 1). Returns NULL, or why the line is malformed.
 */
const char *maps_line_entry(struct text line, struct maps_entry *entry, char *name_buf);

/* Adds what one of smaps' "Key: value" lines tells to *entry. NULL, or why it is malformed. */
const char *maps_line_detail(struct text line, struct maps_entry *entry);

#endif
