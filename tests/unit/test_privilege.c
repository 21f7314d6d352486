/*
 * While an image is parsed, nobody who does it has a capability effective, root neither; afterwards
 * all are back. Seen from outside: the image comes through a pipe that dries up in the middle of
 * manifest and page stream, and /proc tells what the waiting threads have.
 */
#include "base/privilege.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"
#include "image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096u
#define STREAM (1024u * PAGE)

static char path[64];
static int ends[2];

static void make_image(void)
{
	CLEANUP_CLOSE int stream = memfd_create("stream", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_header header = {.arch = "x86_64"};
	struct jsnap_error err = {0};

	CHECK_EQ(manifest_init(&m, &err), 0);
	m.process->page_size = PAGE;
	m.process->stream_size = STREAM;
	m.process->exe_backing = MANIFEST_NONE;
	*MANIFEST_ADD(&m, pieces) = (struct m_piece){PAGE, STREAM, 0};
	for (unsigned at = 0; at < STREAM; at += PAGE)
		CHECK_EQ(pwrite(stream, &at, sizeof(at), at), sizeof(at));
	CHECK_EQ(ftruncate(stream, STREAM), 0);
	CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), 0);
}

static void *parse(void *unused)
{
	const uint64_t before = privilege_effective();
	CLEANUP_CLOSE int out = memfd_create("out", MFD_CLOEXEC);
	CLEANUP_IMAGE struct image *image = NULL;
	struct jsnap_error err = {0};

	CHECK(before != 0);
	CHECK_EQ(image_open(ends[0], NULL, &image, &err), 0);
	CHECK_EQ(privilege_effective(), before);
	CHECK_EQ(image_extract(image, out, 0, 2, &err), 0);
	CHECK_EQ(privilege_effective(), before);
	return unused;
}

static unsigned long long effective_of(const char *task)
{
	char name[300], *text, *line;
	unsigned long long set;
	size_t size;

	snprintf(name, sizeof(name), "/proc/self/task/%s/status", task);
	CHECK_EQ(read_file(name, 1u << 16, &text, &size), 0);
	line = strstr(text, "CapEff:");
	CHECK(line && sscanf(line, "CapEff: %llx", &set) == 1);
	free(text);
	return set;
}

/* Of all threads but the first; returns how many they are. */
static unsigned others_have_none(void)
{
	CLEANUP_CLOSEDIR DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned count = 0;

	CHECK(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != getpid()) {
			CHECK_EQ(effective_of(entry->d_name), 0);
			count++;
		}
	return count;
}

/* The reader has taken all of it, and wants more. */
static void feed(const char *bytes, size_t size)
{
	int left;

	CHECK_EQ(write_full(ends[1], bytes, size), 0);
	do
		CHECK_EQ(ioctl(ends[1], FIONREAD, &left), 0);
	while (left > 0 && usleep(1000) == 0);
}

static void watch(void)
{
	CLEANUP_FREE char *image = NULL;
	struct image_header header;
	size_t size, manifest = sizeof(struct image_header) / 2;
	pthread_t thread;
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK_EQ(image_read_header(fd, &header, NULL), 0);
	CHECK_EQ(read_file(path, 1u << 24, &image, &size), 0);
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(pthread_create(&thread, NULL, parse, NULL), 0);
	feed(image, manifest);
	CHECK_EQ(others_have_none(), 1);
	feed(image + manifest, size - manifest - 100);
	CHECK(others_have_none() >= 1);
	CHECK_EQ(write_full(ends[1], image + size - 100, 100), 0);
	close(ends[1]);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void forbid_capset(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_fprog program = {ARRAY_SIZE(code), code};

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Where they can't be given up for that long, nothing is parsed. */
static void refuse(void)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct image *image = NULL;
	struct jsnap_error err = {0};
	pid_t child = fork();
	int status;

	if (child == 0) {
		forbid_capset();
		CHECK_EQ(image_open(fd, NULL, &image, &err), -EPERM);
		CHECK(strstr(err.text, "capset"));
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* Root has capabilities; whoever is not has them in a user namespace of his own. */
int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%.40s/jsnap-%d", tmp ? tmp : "/tmp", (int)getpid());
	make_image();
	if (!privilege_effective() && unshare(CLONE_NEWUSER) < 0) {
		fprintf(stderr, "skipped: neither root nor user namespaces here\n");
		unlink(path);
		return 77;
	}
	alarm(30);
	refuse();
	watch();
	unlink(path);
	return 0;
}
