/* See stream_room.h. */
#include "checkpoint/stream_room.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/image.h"

#include <fcntl.h>
#include <sys/sysinfo.h>

/* A page cache under pressure gives its pages back, and had better stay as it is. */
static bool plentiful(uint64_t bytes)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 && (uint64_t)info.freeram * info.mem_unit / 2 > bytes;
}

uint64_t stream_room_make(int fd, uint64_t offset, uint64_t bytes)
{
	CLEANUP_FREE void *zeros = calloc(1, HOT_WRITE_STEP);
	uint64_t made = 0;

	if (!zeros || !plentiful(bytes))
		return 0;
	while (made < bytes) {
		if (pwrite_full(fd, zeros, HOT_WRITE_STEP, (off_t)(offset + made)) < 0)
			break;
		made += HOT_WRITE_STEP;
	}
	return made;
}

void stream_room_return(int fd, uint64_t offset, uint64_t room, const struct stream_gap *gaps,
			size_t n_gaps, uint64_t end)
{
	for (size_t i = 0; i < n_gaps && gaps[i].start < offset + room; i++)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)gaps[i].start,
			      (off_t)(gaps[i].end - gaps[i].start)) < 0)
			return; /* zeros then take their room on the disk */
	/* Cannot fail where the file was just made; and what lies behind the end is cut off by
	 * whoever gives it a name. */
	if (room > end - offset && ftruncate(fd, (off_t)end) < 0)
		return;
}
