/* The hot copy: what it gives back, and everything that must make hot_open refuse it. */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define PAGE   4096u
#define STREAM (5 * 256 * PAGE + 3 * PAGE)

static char folder[64];
static char path[128];

static void build(struct manifest *m)
{
	CHECK_EQ(manifest_init(m, NULL), 0);
	m->process->page_size = PAGE;
	m->process->stream_size = STREAM;
	m->process->exe_backing = MANIFEST_NONE;
	*MANIFEST_ADD(m, pieces) = (struct m_piece){PAGE, STREAM, 0};
	CHECK_EQ(manifest_set_note(m, "main", "App", NULL), 0);
}

static struct image_origin make(const struct image_seal *seal)
{
	CLEANUP_HOT struct hot hot = {.fd = -1};
	CLEANUP_MANIFEST struct manifest m = {0};
	struct jsnap_error err = {0};
	struct image_origin origin = {.size = 77, .mtime_ns = 5000000000};
	struct stat st;

	unlink(path);
	build(&m);
	CHECK_EQ(image_manifest_id(&m, seal, &origin.id, &err), 0);
	CHECK_EQ(hot_create(path, &hot, &err), 0);
	CHECK_EQ(hot.stream_offset, HOT_STREAM_OFFSET);
	CHECK(access(path, F_OK) < 0);
	CHECK_EQ(pwrite_full(hot.fd, "head", 4, (off_t)hot.stream_offset), 0);
	CHECK_EQ(pwrite_full(hot.fd, "tail", 4, (off_t)(hot.stream_offset + STREAM - 4)), 0);
	CHECK_EQ(hot_commit(&hot, &m, &origin, seal, &err), 0);
	CHECK_EQ(fstat(hot.fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0400);
	CHECK(st.st_blocks < 200);
	return origin;
}

static int try_open(const struct image_origin *expect, bool verify, struct jsnap_error *err)
{
	CLEANUP_HOT struct hot hot = {.fd = -1};
	int r;

	*err = (struct jsnap_error){0};
	r = hot_open(path, expect, NULL, &hot, err);
	if (r == 0 && verify)
		r = hot_verify(&hot, NULL, err);
	CHECK(r == 0 || (err->text[0] && err->code == -r));
	return r;
}

static void test_open(void)
{
	CLEANUP_HOT struct hot hot = {.fd = -1};
	struct jsnap_error err = {0};
	struct image_origin origin = make(NULL), other = origin;
	char bytes[4];

	CHECK_EQ(hot_open(path, &origin, NULL, &hot, &err), 0);
	CHECK(memcmp(&hot.origin, &origin, sizeof(origin)) == 0);
	CHECK_STR(manifest_note(&hot.manifest, "main"), "App");
	CHECK_EQ(pread_full(hot.fd, bytes, 4, (off_t)(hot.stream_offset + STREAM - 4)), 0);
	CHECK(memcmp(bytes, "tail", 4) == 0);
	CHECK_EQ(hot_verify(&hot, NULL, &err), 0);
	other.id.lo++;
	CHECK_EQ(try_open(&other, false, &err), -ESTALE);
	other = origin;
	other.size++;
	CHECK_EQ(try_open(&other, false, &err), -ESTALE);
	other = origin;
	other.mtime_ns++;
	CHECK_EQ(try_open(&other, false, &err), -ESTALE);
	CHECK_EQ(try_open(&origin, false, &err), 0);
	CHECK_EQ(try_open(NULL, true, &err), 0);
}

/* Writes `size` bytes at `offset` and puts the modification time back, as damage below the file
 * system would look. */
static void damage(off_t offset, const void *bytes, size_t size, bool put_back)
{
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	CHECK_EQ(chmod(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(pwrite_full(fd, bytes, size, offset), 0);
	if (put_back) {
		struct timespec times[2] = {st.st_atim, st.st_mtim};

		CHECK_EQ(futimens(fd, times), 0);
	}
}

/* As damage(), of one byte, whatever it was. */
static void flip(off_t offset)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char byte;

	CHECK_EQ(pread_full(fd, &byte, 1, offset), 0);
	byte ^= 0xa5;
	damage(offset, &byte, 1, true);
}

static void test_refusals(void)
{
	struct jsnap_error err;
	struct stat st;

	make(NULL);
	damage((off_t)HOT_STREAM_OFFSET + 8 * PAGE, "x", 1, false);
	CHECK_EQ(try_open(NULL, false, &err), -ESTALE);
	make(NULL);
	damage((off_t)HOT_STREAM_OFFSET + 300 * PAGE, "x", 1, true);
	CHECK_EQ(try_open(NULL, false, &err), 0);
	CHECK_EQ(try_open(NULL, true, &err), -EBADMSG);
	CHECK(strstr(err.text, "MiB 1"));
	make(NULL);
	damage((off_t)HOT_STREAM_OFFSET + STREAM + 3, "x", 1, true);
	CHECK_EQ(try_open(NULL, true, &err), -EBADMSG);
	for (off_t at = 0; at < 5000; at++) { /* header and the manifest's beginning */
		make(NULL);
		flip(at);
		CHECK(try_open(NULL, false, &err) < 0);
		at += at < 100 ? 0 : 96;
	}
	make(NULL);
	CHECK_EQ(stat(path, &st), 0);
	damage(st.st_size, "", 1, true);
	CHECK_EQ(try_open(NULL, false, &err), -EBADMSG);
	CHECK_EQ(truncate(path, st.st_size - 1), 0);
	CHECK_EQ(try_open(NULL, false, &err), -EBADMSG);
	CHECK_EQ(truncate(path, 100), 0);
	CHECK_EQ(try_open(NULL, false, &err), -EBADMSG);
}

static void test_file_refusals(void)
{
	char link[160];
	struct jsnap_error err;
	struct hot hot;

	make(NULL);
	CHECK_EQ(chmod(path, 0420), 0);
	CHECK_EQ(try_open(NULL, false, &err), -EPERM);
	CHECK_EQ(chmod(path, 0400), 0);
	snprintf(link, sizeof(link), "%s.link", path);
	CHECK_EQ(symlink(path, link), 0);
	CHECK_EQ(hot_open(link, NULL, NULL, &hot, &err), -ELOOP);
	CHECK_EQ(unlink(link), 0);
	CHECK_EQ(mkfifo(link, 0600), 0);
	CHECK_EQ(hot_open(link, NULL, NULL, &hot, &err), -EINVAL);
	CHECK_EQ(unlink(link), 0);
	CHECK_EQ(hot_open(folder, NULL, NULL, &hot, &err), -EINVAL);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(try_open(NULL, false, &err), -ENOENT);
	if (geteuid() == 0) {
		make(NULL);
		CHECK_EQ(chown(path, 1, 1), 0);
		CHECK_EQ(try_open(NULL, false, &err), -EPERM);
	}
}

/* A copy that was not committed leaves nothing, and a commit that fails says why. */
static void test_commit_failures(void)
{
	struct jsnap_error err = {0};
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_origin origin = {0}, other = {.id = {1, 2}};
	struct hot hot;

	unlink(path);
	build(&m);
	CHECK_EQ(image_manifest_id(&m, NULL, &origin.id, &err), 0);
	CHECK_EQ(hot_create(path, &hot, &err), 0);
	CHECK_EQ(hot_commit(&hot, &m, &origin, NULL, &err), -ENODATA);
	CHECK_EQ(ftruncate(hot.fd, (off_t)hot.stream_offset + STREAM), 0);
	CHECK_EQ(hot_commit(&hot, &m, &other, NULL, &err), -EINVAL);
	hot.stream_offset = PAGE;
	CHECK_EQ(hot_commit(&hot, &m, &origin, NULL, &err), -E2BIG);
	hot_close(&hot);
	CHECK_EQ(rmdir(folder), 0);
	CHECK_EQ(mkdir(folder, 0700), 0);
	CHECK_EQ(hot_create(NULL, &hot, &err), 0);
	CHECK(hot.fd >= 0 && !hot.path);
	CHECK_EQ(hot_commit(&hot, &m, &origin, NULL, &err), -EINVAL);
	hot_close(&hot);
}

static struct image_seal *make_seal(const char *bytes)
{
	CLEANUP_IMAGE_KEY struct image_key *key = NULL;
	struct image_seal *seal = NULL;
	struct jsnap_error err = {0};
	char file[160];
	int fd;

	snprintf(file, sizeof(file), "%s/key", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_EQ(write_full(fd, bytes, 32), 0);
	close(fd);
	CHECK_EQ(image_key_load(file, &key, &err), 0);
	CHECK_EQ(image_seal_new(key, IMAGE_SIGNED, &seal, &err), 0);
	CHECK_EQ(unlink(file), 0);
	return seal;
}

static int open_with(const struct image_seal *seal, struct jsnap_error *err)
{
	CLEANUP_HOT struct hot hot = {.fd = -1};
	int r = hot_open(path, NULL, seal, &hot, err);

	return r < 0 ? r : hot_verify(&hot, seal, err);
}

/* Of a signed image: only the key's own copy is used, and its bytes are the key's too. */
static void test_sealed(void)
{
	CLEANUP_IMAGE_SEAL struct image_seal *seal = make_seal("0123456789abcdef0123456789abcdef");
	CLEANUP_IMAGE_SEAL struct image_seal *other = make_seal("another key of just 32 bytes ...");
	struct jsnap_error err = {0};

	make(seal);
	CHECK_EQ(open_with(seal, &err), 0);
	CHECK_EQ(open_with(other, &err), -EBADMSG);
	CHECK(strstr(err.text, "not what the holder of the key wrote"));
	CHECK_EQ(open_with(NULL, &err), -ESTALE);
	damage((off_t)HOT_STREAM_OFFSET + 300 * PAGE, "x", 1, true);
	CHECK_EQ(open_with(seal, &err), -EBADMSG);
	CHECK(strstr(err.text, "MiB 1"));
	make(seal);
	flip((off_t)HOT_STREAM_OFFSET + STREAM + 3); /* the table, which hot_open reads then */
	CHECK_EQ(open_with(seal, &err), -EBADMSG);
	make(NULL);
	CHECK_EQ(open_with(seal, &err), -ESTALE);
	CHECK_EQ(unlink(path), 0);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/jsnap-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.hot", folder);
	test_open();
	test_refusals();
	test_file_refusals();
	test_commit_failures();
	test_sealed();
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
