/*
 * Signed and encrypted images against an attacker who has everything but the key: he changes bytes,
 * moves, drops and exchanges whole chunks, and puts every checksum right again.
 */
#include "image/image_format.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xxhash.h>
#include <zstd.h>

#define PAGE   4096u
#define STREAM (515u * PAGE) /* data, zeros, and a short one */
#define MARKER "a secret of the program"

static char folder[64], key_path[96], other_path[96], path[96];

static void write_file(const char *file, const void *data, size_t size, mode_t mode)
{
	CLEANUP_CLOSE int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write_full(fd, data, size), 0);
	CHECK_EQ(fchmod(fd, mode), 0);
}

static struct image_key *load(const char *file)
{
	struct jsnap_error err = {0};
	struct image_key *key = NULL;

	if (image_key_load(file, &key, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(key);
	return key;
}

static void refused(const char *data, size_t size, mode_t mode, int code, const char *word)
{
	char file[128];
	struct image_key *key = NULL;
	struct jsnap_error err = {0};

	snprintf(file, sizeof(file), "%s/bad", folder);
	write_file(file, data, size, mode);
	CHECK_EQ(image_key_load(file, &key, &err), -code);
	if (!strstr(err.text, word))
		fprintf(stderr, "%s\n", err.text);
	CHECK(strstr(err.text, word) && strstr(err.text, file));
	CHECK_EQ(unlink(file), 0);
}

static void test_key_files(void)
{
	static const char raw[32] = "0123456789abcdefABCDEF!-_.,;:+*#";
	static const char hex[] =
		"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n";
	struct image_key *key = NULL;
	struct jsnap_error err = {0};
	char file[128];

	snprintf(file, sizeof(file), "%s/good", folder);
	write_file(file, raw, 32, 0600);
	image_key_free(load(file));
	write_file(file, hex, 65, 0400);
	image_key_free(load(file));
	CHECK_EQ(unlink(file), 0);
	refused(raw, 31, 0600, EINVAL, "neither 32 bytes nor 64 hexadecimal digits");
	refused(hex, 66, 0600, EINVAL, "neither"); /* the NUL is no digit */
	refused(hex, 63, 0600, EINVAL, "neither");
	refused("", 0, 0600, EINVAL, "neither");
	refused((const char[32]){0}, 32, 0600, EINVAL, "zeros");
	refused(raw, 32, 0604, EPERM, "others may read or write it (mode 0604)");
	refused(raw, 32, 0660, EPERM, "mode 0660");
	CHECK_EQ(image_key_load(file, &key, &err), -ENOENT);
	CHECK_EQ(image_key_load(folder, &key, &err), -EINVAL);
	if (geteuid() == 0) {
		write_file(file, raw, 32, 0440); /* root may share it with a group */
		image_key_free(load(file));
		CHECK_EQ(chown(file, 1, 1), 0);
		CHECK_EQ(image_key_load(file, &key, &err), -EPERM);
		CHECK(strstr(err.text, "belongs to user 1"));
		CHECK_EQ(unlink(file), 0);
	}
}

static int make_stream(unsigned seed)
{
	static const uint32_t pages[] = {0, 7, 255, 513, 514};
	int fd = memfd_create("stream", MFD_CLOEXEC);
	unsigned char page[PAGE];

	CHECK_EQ(ftruncate(fd, STREAM), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		memset(page, 'x', sizeof(page));
		for (size_t k = 0; k < 96; k++)
			page[k] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 24);
		memcpy(page + 200, MARKER, sizeof(MARKER));
		CHECK_EQ(pwrite_full(fd, page, PAGE, (off_t)pages[i] * PAGE), 0);
	}
	return fd;
}

/* Two images of one seed differ in their salt alone. */
static void make(const char *file, enum image_protection protection, unsigned seed, char **ret_data,
		 size_t *ret_size)
{
	CLEANUP_IMAGE_KEY struct image_key *key = load(key_path);
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	CLEANUP_CLOSE int stream = make_stream(seed);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_header header = {.arch = "x86_64"};
	struct image_write_options options = {.threads = 2};
	struct jsnap_error err = {0};

	CHECK_EQ(manifest_init(&m, NULL), 0);
	m.process->pid = 7;
	m.process->page_size = PAGE;
	m.process->stream_size = STREAM;
	m.process->exe_backing = MANIFEST_NONE;
	*MANIFEST_ADD(&m, pieces) = (struct m_piece){PAGE, STREAM, 0};
	CHECK_EQ(manifest_set_note(&m, "main", MARKER, NULL), 0);
	if (protection != IMAGE_PLAIN)
		CHECK_EQ(image_seal_new(key, protection, &seal, &err), 0);
	options.seal = seal;
	CHECK_EQ(image_write(file, &m, stream, 0, &header, &options, &err), 0);
	CHECK_EQ(header.protection, protection);
	CHECK_EQ(read_file(file, 1u << 24, ret_data, ret_size), 0);
}

static int read_all(const void *data, size_t size, const char *key_file,
		    enum image_protection required, int out, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = memfd_create("image", MFD_CLOEXEC);
	CLEANUP_IMAGE_KEY struct image_key *key = key_file ? load(key_file) : NULL;
	CLEANUP_IMAGE struct image *image = NULL;
	struct image_trust trust = {.key = key, .required = required};
	int r;

	CHECK_EQ(pwrite_full(fd, data, size, 0), 0);
	*err = (struct jsnap_error){0};
	r = image_open(fd, &trust, &image, err);
	if (r == 0 && image_header(image)->authentic != (key && image_header(image)->protection))
		exit(1);
	if (r == 0)
		r = out < 0 ? image_verify(image, 1, err) : image_extract(image, out, 0, 3, err);
	if (r < 0)
		CHECK(err->text[0] && err->code == -r);
	return r;
}

static void round_trip(enum image_protection protection)
{
	CLEANUP_FREE char *data = NULL, *pages = malloc(STREAM), *due = malloc(STREAM);
	CLEANUP_CLOSE int out = memfd_create("out", MFD_CLOEXEC), stream = make_stream(1);
	struct jsnap_error err;
	size_t size;
	char command[512];

	make(path, protection, 1, &data, &size);
	CHECK_EQ(read_all(data, size, key_path, protection, out, &err), 0);
	CHECK_EQ(pread_full(out, pages, STREAM, 0), 0);
	CHECK_EQ(pread_full(stream, due, STREAM, 0), 0);
	CHECK(memcmp(pages, due, STREAM) == 0);
	CHECK_EQ(read_all(data, size, key_path, IMAGE_PLAIN, -1, &err), 0);
	CHECK_EQ(read_all(data, size, other_path, IMAGE_PLAIN, -1, &err), -EKEYREJECTED);
	CHECK(strstr(err.text, image_protection_name(protection)) &&
	      strstr(err.text, " with key "));
	if (protection == IMAGE_SIGNED) {
		CHECK_EQ(read_all(data, size, NULL, IMAGE_PLAIN, -1, &err), 0);
		CHECK_EQ(read_all(data, size, key_path, IMAGE_ENCRYPTED, -1, &err), -EKEYREJECTED);
		CHECK(strstr(err.text, "the image is signed, and must be encrypted"));
	} else {
		CHECK_EQ(read_all(data, size, NULL, IMAGE_PLAIN, -1, &err), -ENOKEY);
		CHECK(strstr(err.text, "encrypted, and there is no key"));
		CHECK_EQ(read_all(data, size, key_path, IMAGE_SIGNED, -1, &err), 0);
		CHECK(!memmem(data, size, "secret", 6));
	}
	if (system("zstd --version >/dev/null 2>&1") == 0) {
		snprintf(command, sizeof(command),
			 "zstd -q -t <%s && zstd -q -dc <%s | grep -qa '%s'", path, path, MARKER);
		CHECK_EQ(system(command) == 0, protection == IMAGE_SIGNED);
		snprintf(command, sizeof(command), "zstd -q -t <%s", path);
		CHECK_EQ(system(command), 0);
	}
}

static void test_plain_refused(void)
{
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err;
	size_t size;

	make(path, IMAGE_PLAIN, 1, &data, &size);
	CHECK_EQ(read_all(data, size, key_path, IMAGE_SIGNED, -1, &err), -EKEYREJECTED);
	CHECK(strstr(err.text, "the image is plain, and must be signed"));
	CHECK_EQ(read_all(data, size, key_path, IMAGE_PLAIN, -1, &err), 0);
}

/* From a pipe, as `jsnap restore -` does. */
static void test_pipe(enum image_protection protection)
{
	CLEANUP_IMAGE_KEY struct image_key *key = load(key_path);
	struct image_trust trust = {key, protection};
	CLEANUP_IMAGE struct image *image = NULL;
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err = {0};
	int ends[2], status;
	size_t size;
	pid_t child;

	make(path, protection, 1, &data, &size);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0)
		_exit(write_full(ends[1], data, size) < 0);
	close(ends[1]);
	CHECK_EQ(image_open(ends[0], &trust, &image, &err), 0);
	image_key_free(STEAL_PTR(key));
	CHECK_EQ(image_verify(image, 2, &err), 0);
	close(ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void test_forgotten(void)
{
	CLEANUP_IMAGE_KEY struct image_key *key = load(key_path);
	struct image_trust trust = {key, IMAGE_SIGNED};
	CLEANUP_IMAGE struct image *image = NULL;
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err = {0};
	size_t size;

	make(path, IMAGE_SIGNED, 1, &data, &size);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(image_open(fd, &trust, &image, &err), 0);
	image_forget_keys(image);
	CHECK(!image_seal(image));
	CHECK_EQ(image_verify(image, 1, &err), -ENOKEY);
}

/* An image as the attacker sees it. */
#define PARTS_MAX 16
struct parts {
	struct {
		const char *data;
		size_t size;
	} list[PARTS_MAX]; /* header, then a chunk each, with its seal */
	size_t n;
};

static void take_apart(const char *data, size_t size, struct parts *p)
{
	size_t at = 0, n;
	uint32_t head[2];

	*p = (struct parts){0};
	while (at < size) {
		memcpy(head, data + at, sizeof(head));
		n = ZSTD_findFrameCompressedSize(data + at, size - at);
		CHECK(!ZSTD_isError(n));
		if (head[0] == IMAGE_MAGIC_TRAILER)
			return;
		if (head[0] == IMAGE_MAGIC_SEAL) {
			p->list[p->n - 1].size += n;
		} else {
			CHECK(p->n < PARTS_MAX);
			p->list[p->n].data = data + at;
			p->list[p->n++].size = n;
		}
		at += n;
	}
}

/* Puts header, trailer and seek table right behind any change of the rest; *ret_data is owned. */
static void put_together(const struct parts *p, char **ret_data, size_t *ret_size)
{
	struct image_disk_trailer trailer = {.skippable_magic = IMAGE_MAGIC_TRAILER,
					     .skippable_size = sizeof(trailer) - 8,
					     .magic = "JSNAPEND"};
	struct seek_table table = {0};
	struct seek_head head;
	struct seek_foot foot;
	size_t size = 0, at = 0, n;
	char *data = malloc(1u << 20);
	struct image_disk_header disk;
	uint32_t magic, checksum;

	for (size_t i = 0; i < p->n; i++) {
		memcpy(data + size, p->list[i].data, p->list[i].size);
		size += p->list[i].size;
	}
	memcpy(&disk, data, sizeof(disk));
	disk.hash = XXH3_64bits(&disk, sizeof(disk) - sizeof(disk.hash));
	memcpy(data, &disk, sizeof(disk));
	trailer.offset = size;
	trailer.hash = XXH3_64bits(data, size);
	memcpy(data + size, &trailer, sizeof(trailer));
	size += sizeof(trailer);
	for (; at < size; at += n) {
		unsigned long long raw = ZSTD_getFrameContentSize(data + at, size - at);

		n = ZSTD_findFrameCompressedSize(data + at, size - at);
		if (ZSTD_isError(n))
			break;
		memcpy(&magic, data + at, sizeof(magic));
		memcpy(&checksum, data + at + n - sizeof(checksum), sizeof(checksum));
		if (magic >> 4 == IMAGE_MAGIC_HEADER >> 4) {
			raw = 0;
			checksum = SEEK_CHECKSUM_EMPTY;
		}
		CHECK_EQ(seek_table_add(&table, n, raw, checksum, NULL), 0);
	}
	seek_table_ends(&table, &head, &foot);
	memcpy(data + size, &head, sizeof(head));
	size += sizeof(head);
	if (table.count)
		memcpy(data + size, table.entries, table.count * sizeof(*table.entries));
	size += table.count * sizeof(*table.entries);
	memcpy(data + size, &foot, sizeof(foot));
	size += sizeof(foot);
	seek_table_free(&table);
	*ret_data = data;
	*ret_size = size;
}

static void must_fail(const struct parts *p, const char *what, const char *word)
{
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err;
	size_t size;

	put_together(p, &data, &size);
	if (read_all(data, size, key_path, IMAGE_SIGNED, -1, &err) != -EBADMSG ||
	    !strstr(err.text, word)) {
		fprintf(stderr, "%s: %s\n", what, err.text);
		exit(1);
	}
}

/* Every byte, with several bits of it. */
static void test_flips(enum image_protection protection)
{
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err;
	struct parts good;
	size_t size;

	make(path, protection, 1, &data, &size);
	take_apart(data, size, &good);
	for (size_t i = 0; i < good.n; i++) {
		CLEANUP_FREE char *part = malloc(good.list[i].size);
		size_t end = good.list[i].size - (i ? 0 : 8); /* but the hash that is repaired */
		struct parts bad = good;

		memcpy(part, good.list[i].data, good.list[i].size);
		bad.list[i].data = part;
		for (size_t at = 0; at < end; at += !i && at > 90 && at < 930 ? 13 : 1) {
			CLEANUP_FREE char *forged = NULL;
			size_t forged_size;

			part[at] = (char)(part[at] ^ (1 << at % 8));
			put_together(&bad, &forged, &forged_size);
			if (read_all(forged, forged_size, key_path, IMAGE_SIGNED, -1, &err) == 0) {
				fprintf(stderr, "part %zu, byte %zu: a change goes unnoticed\n", i,
					at);
				exit(1);
			}
			part[at] = good.list[i].data[at];
		}
	}
}

static void test_chunks_moved(enum image_protection protection)
{
	CLEANUP_FREE char *data = NULL, *twin = NULL, *again = NULL;
	struct parts good, other, bad;
	struct image_disk_header disk;
	struct jsnap_error err;
	size_t size, twin_size;
	const char *word = "not what the holder of the key wrote";

	make(path, protection, 1, &data, &size);
	make(path, protection, 1, &twin, &twin_size);
	take_apart(data, size, &good);
	take_apart(twin, twin_size, &other);
	CHECK_EQ(good.n, 1 + 1 + 3);
	put_together(&good, &again, &twin_size); /* the attacker's tool changes nothing by itself */
	CHECK(twin_size == size && memcmp(again, data, size) == 0);

	bad = good;
	bad.list[2] = good.list[3];
	bad.list[3] = good.list[2];
	must_fail(&bad, "two chunks swapped", word);
	bad = good;
	bad.list[2] = good.list[3];
	must_fail(&bad, "one chunk twice", word);
	for (size_t i = 0; i < good.n; i++) {
		bad = good;
		bad.list[i] = other.list[i];
		must_fail(&bad, "a part of another image with this key", word);
	}
	bad = good;
	bad.list[1] = good.list[2];
	must_fail(&bad, "memory as manifest", "chunk 0");
	/* One chunk less, and a header that says so. */
	bad = good;
	bad.n--;
	memcpy(&disk, data, sizeof(disk));
	disk.stream_size = 2ull * IMAGE_FRAME_SIZE;
	bad.list[0].data = (const char *)&disk;
	must_fail(&bad, "cut off", word);
	/* Without its seals it is plain, and plain is refused. */
	memcpy(&disk, data, sizeof(disk));
	disk.protection = IMAGE_PLAIN;
	memset(disk.key_id, 0, sizeof(disk.key_id) + sizeof(disk.salt) + sizeof(disk.mac));
	bad = good;
	bad.list[0].data = (const char *)&disk;
	for (size_t i = 1; i < bad.n; i++)
		bad.list[i].size -= sizeof(struct image_disk_seal);
	if (protection == IMAGE_SIGNED) {
		free(again);
		put_together(&bad, &again, &size);
		CHECK_EQ(read_all(again, size, key_path, IMAGE_PLAIN, -1, &err), 0);
		CHECK_EQ(read_all(again, size, key_path, IMAGE_SIGNED, -1, &err), -EKEYREJECTED);
	}
}

/* Unforged, but cut: at every byte. */
static void test_truncations(enum image_protection protection)
{
	CLEANUP_FREE char *data = NULL;
	struct jsnap_error err;
	size_t size;

	make(path, protection, 1, &data, &size);
	for (size_t n = 0; n < size; n += n < 1100 ? 50 : 1)
		CHECK(read_all(data, n, key_path, IMAGE_SIGNED, -1, &err) < 0);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/jsnap-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.jsnap", folder);
	snprintf(key_path, sizeof(key_path), "%s/key", folder);
	snprintf(other_path, sizeof(other_path), "%s/other", folder);
	write_file(key_path, "the key of this test, 32 bytes..", 32, 0600);
	write_file(other_path, "another key, which is not right.", 32, 0600);
	test_key_files();
	test_plain_refused();
	for (enum image_protection p = IMAGE_SIGNED; p <= IMAGE_ENCRYPTED; p++) {
		round_trip(p);
		test_pipe(p);
		test_flips(p);
		test_chunks_moved(p);
		test_truncations(p);
	}
	test_forgotten();
	unlink(path);
	unlink(key_path);
	unlink(other_path);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
