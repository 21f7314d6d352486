/* Is there a program to start? A jar is a zip: it ends with an end-of-central-directory record. */
#include "launcher/java/java_command.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* PKWARE's APPNOTE.TXT, 4.3.16: a record of 22 bytes and a comment of at most 65535. */
#define ZIP_END_SIZE	    22u
#define ZIP_END_MAX_COMMENT 65535u

static int check_zip(const char *path, int fd, uint64_t size, struct jsnap_error *err)
{
	uint64_t window = size < ZIP_END_SIZE + ZIP_END_MAX_COMMENT
				  ? size
				  : ZIP_END_SIZE + ZIP_END_MAX_COMMENT;
	CLEANUP_FREE uint8_t *tail = malloc(window ? window : 1);
	int r;

	if (!tail)
		return error_set(err, ENOMEM, "out of memory");
	r = pread_full(fd, tail, window, (off_t)(size - window));
	if (r < 0) {
		errno = -r;
		return error_errno(err, "read %s", path);
	}
	for (uint64_t at = window; at >= ZIP_END_SIZE; at--) {
		const uint8_t *end = tail + at - ZIP_END_SIZE;
		size_t comment = end[20] | (size_t)end[21] << 8;

		if (memcmp(end, "PK\5\6", 4) == 0 && at + comment <= window)
			return 0;
	}
	return error_set(
		err, ENOEXEC,
		"%s is not a jar: it has no zip directory at its end; it may have been cut "
		"short while it was copied",
		path);
}

static int check_file(const char *path, bool zip, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOENT, "no such file: %s", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "%s is a folder, not a %s", path,
				 zip ? "jar" : "source file");
	return zip ? check_zip(path, fd, (uint64_t)st.st_size, err) : 0;
}

int java_command_check_program(const struct java_command *command, struct jsnap_error *err)
{
	switch (command->mode) {
	case JAVA_MODE_NONE:
		return error_set(err, EINVAL, "%s", command->no_snapshot);
	case JAVA_MODE_JAR:
		return check_file(command->program, true, err);
	case JAVA_MODE_SOURCE:
		return check_file(command->program, false, err);
	case JAVA_MODE_CLASS:
	case JAVA_MODE_MODULE:
		break;
	}
	return 0;
}
