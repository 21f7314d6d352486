/* Whether an image may be written to a path that the user named (image.h). */
#include "base/cleanup.h"
#include "image/image_format.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool begins_as_image(int fd)
{
	struct image_disk_header header;
	ssize_t size = pread(fd, &header, sizeof(header), 0);

	return size >= (ssize_t)offsetof(struct image_disk_header, version) &&
	       header.skippable_magic == IMAGE_MAGIC_HEADER &&
	       memcmp(header.magic, "JSNAPIMG", sizeof(header.magic)) == 0;
}

int image_place(const char *path, struct jsnap_error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer before it is refused. */
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "see whether %s is a jsnap image, to be replaced", path);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	if (S_ISREG(st.st_mode) && begins_as_image(fd))
		return 1;
	error_set(err, EEXIST, "%s exists and is no jsnap image; it is not replaced", path);
	return error_hint(err, "name another file, or remove it");
}
