/* See place.h. */
#include "image/place.h"

#include "base/cleanup.h"
#include "image/image_format.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *name, *magic;
	size_t offset; /* of `magic` in the file */
} kinds[] = {
	[PLACE_IMAGE] = {"image", PLACE_IMAGE_MAGIC, offsetof(struct image_disk_header, magic)},
	[PLACE_HOT] = {"hot copy", PLACE_HOT_MAGIC, 0},
	[PLACE_PAGES] = {"working set", PLACE_PAGES_MAGIC, 0},
	[PLACE_MARK] = {"mark of a bad image", PLACE_MARK_MAGIC, 0},
};

static bool begins_as(int fd, enum place what)
{
	const uint32_t frame = IMAGE_MAGIC_HEADER;
	char head[offsetof(struct image_disk_header, magic) + PLACE_MAGIC_SIZE];
	size_t size = kinds[what].offset + PLACE_MAGIC_SIZE;

	return pread(fd, head, size, 0) == (ssize_t)size &&
	       memcmp(head + kinds[what].offset, kinds[what].magic, PLACE_MAGIC_SIZE) == 0 &&
	       (what != PLACE_IMAGE || memcmp(head, &frame, sizeof(frame)) == 0);
}

/* Where a trailer names its own place in the file, an image ends, whatever became of its start. */
static bool ends_as_image(int fd, off_t size)
{
	struct image_disk_trailer trailer;
	struct seek_foot foot;
	off_t at = size - (off_t)sizeof(foot);

	if (at < 0 || pread(fd, &foot, sizeof(foot), at) != (ssize_t)sizeof(foot) ||
	    foot.seekable_magic != IMAGE_MAGIC_SEEKABLE)
		return false;
	at -= (off_t)(foot.count * sizeof(struct seek_entry) + sizeof(struct seek_head) +
		      sizeof(trailer));
	return at > 0 && pread(fd, &trailer, sizeof(trailer), at) == (ssize_t)sizeof(trailer) &&
	       memcmp(trailer.magic, "JSNAPEND", sizeof(trailer.magic)) == 0 &&
	       trailer.offset == (uint64_t)at;
}

int place_check(const char *path, enum place what, struct jsnap_error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer before it is refused. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	if (what == PLACE_ANY)
		return 1;
	fd = open(path, what == PLACE_IMAGE ? flags : flags | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "see whether %s is a jsnap %s, to be replaced", path,
				   kinds[what].name);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	if (S_ISREG(st.st_mode) && begins_as(fd, what))
		return 1;
	if (S_ISREG(st.st_mode) && what == PLACE_IMAGE && ends_as_image(fd, st.st_size))
		return 1;
	error_set(err, EEXIST, "%s exists and is no jsnap %s; it is not replaced", path,
		  kinds[what].name);
	return error_hint(err, "name another image, or move that file");
}

int place_clear(const char *path, enum place what, struct jsnap_error *err)
{
	int r = place_check(path, what, err);

	if (r >= 0 && unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s", path);
	return r < 0 ? r : 0;
}
