/*
 * What the store keeps survives a crash of the machine: each file has a name and is synced before
 * it replaces another, and its folder is synced after. The calls that matter are counted here, in
 * place of the C library's.
 */
#include "image/working_set.h"

#include "base/cleanup.h"
#include "check.h"
#include "launcher/store/probation.h"
#include "manifest_sample.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char calls[64];
static struct stat synced; /* the file, with a name */

static void note(char call)
{
	size_t used = strlen(calls);

	CHECK(used + 1 < sizeof(calls));
	calls[used] = call;
}

int fsync(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		note('F');
	else if (!st.st_nlink)
		note('s');
	else
		note('S'), synced = st;
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	struct stat st;

	/* The very file, and nothing of it is newer. */
	CHECK_EQ(stat(from, &st), 0);
	CHECK(st.st_ino == synced.st_ino && st.st_size == synced.st_size &&
	      st.st_ctim.tv_sec == synced.st_ctim.tv_sec &&
	      st.st_ctim.tv_nsec == synced.st_ctim.tv_nsec);
	note('R');
	return (int)syscall(SYS_rename, from, to);
}

static void check_calls(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, calls);
	/* Where the file system has files without a name the first is of one. */
	CHECK(strcmp(calls, "sSRF") == 0 || strcmp(calls, "SSRF") == 0);
	memset(calls, 0, sizeof(calls));
}

int main(void)
{
	char folder[] = "/tmp/jsnap-test-XXXXXX";
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_HOT struct hot hot = {.fd = -1};
	CLEANUP_STORE_SLOT struct store_slot slot;
	struct working_run run = {4096, 8192};
	struct working_set set = {.runs = &run, .count = 1};
	struct image_header header = {0};
	struct image_origin origin = {0};
	int stream = memfd_create("stream", MFD_CLOEXEC);

	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	CHECK_EQ(store_slot_of_image("image", &slot, NULL), 0);
	manifest_sample(&m);
	CHECK_EQ(ftruncate(stream, (off_t)m.process->stream_size), 0);
	CHECK_EQ(image_write(slot.image, &m, stream, 0, &header, NULL, NULL), 0);
	check_calls("image");
	CHECK_EQ(hot_create(slot.hot, &hot, NULL), 0);
	origin.id = header.id;
	CHECK_EQ(ftruncate(hot.fd, (off_t)(hot.stream_offset + m.process->stream_size)), 0);
	CHECK_EQ(hot_commit(&hot, &m, &origin, NULL, NULL), 0);
	check_calls("hot copy");
	CHECK_EQ(working_set_save(slot.pages, &set, &header.id, true, NULL), 0);
	check_calls("working set");
	probation_mark(&slot, &header.id, SIGSEGV, 0);
	check_calls("mark");
	CHECK_EQ(store_remove(&slot, NULL), 0);
	close(stream);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
