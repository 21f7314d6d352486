/*
 * What may be replaced or removed where a user chose the names: what begins as a file of jsnap's of
 * that kind, whatever its version and state, an empty file, or nothing. An image's end tells, too:
 * its first bytes may be damaged. All else is somebody's and stays.
 */
#ifndef JSNAP_IMAGE_PLACE_H
#define JSNAP_IMAGE_PLACE_H

#include "base/error.h"

enum place {
	PLACE_ANY, /* the name is jsnap's own: whatever is there goes */
	PLACE_IMAGE,
	PLACE_HOT,   /* the hot copy */
	PLACE_PAGES, /* the working set */
	PLACE_MARK,  /* that an image is bad: of the launcher's */
};

/* How they begin; an image's are 8 bytes behind the head of its first frame. */
#define PLACE_IMAGE_MAGIC "JSNAPIMG"
#define PLACE_HOT_MAGIC	  "JSNAPHOT"
#define PLACE_PAGES_MAGIC "JSNAPWSS"
#define PLACE_MARK_MAGIC  "JSNAPBAD"
#define PLACE_MAGIC_SIZE  8u

/*
 * 0: nothing is there, or an empty file; 1: what may be replaced. -EEXIST, or why it can't be told:
 * it stays. A symbolic link is followed to an image, and is nothing of jsnap's elsewhere.
 */
int place_check(const char *path, enum place what, struct jsnap_error *err);

/* Removes what may be replaced. 0 when nothing is there any more; else as place_check. */
int place_clear(const char *path, enum place what, struct jsnap_error *err);

#endif
