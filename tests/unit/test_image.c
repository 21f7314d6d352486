/*
 * The image: what is written comes back, from a file and through a pipe, and no damage goes
 * unnoticed: every truncation and thousands of flipped bytes of small images.
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096u
#define MIB  (1u << 20)

static char folder[64];
static char path[128];

static void build(struct manifest *m, uint64_t stream_size)
{
	CHECK_EQ(manifest_init(m, NULL), 0);
	m->process->pid = 7;
	m->process->page_size = PAGE;
	m->process->stream_size = stream_size;
	m->process->exe_backing = MANIFEST_NONE;
	MANIFEST_ADD(m, threads)->tid = 7;
	if (stream_size)
		*MANIFEST_ADD(m, pieces) = (struct m_piece){PAGE, stream_size, 0};
	CHECK_EQ(manifest_set_note(m, "main", "App", NULL), 0);
}

static void fill(unsigned char *p, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 24);
}

/* A stream of `size` bytes at `offset` of a memfd, with data (some noise, then text) in the pages
 * named by `pages`. */
static int stream_make(uint64_t offset, uint64_t size, const uint32_t *pages, size_t n)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	unsigned char page[PAGE];

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)(offset + size)), 0);
	for (size_t i = 0; i < n; i++) {
		memset(page, 'x', sizeof(page));
		fill(page, 128, pages[i]);
		CHECK_EQ(pwrite_full(fd, page, PAGE, (off_t)(offset + (uint64_t)pages[i] * PAGE)),
			 0);
	}
	return fd;
}

static void same_stream(int a, uint64_t a_offset, int b, uint64_t b_offset, uint64_t size)
{
	static unsigned char x[MIB], y[MIB];

	for (uint64_t at = 0; at < size; at += MIB) {
		size_t n = size - at < MIB ? size - at : MIB;

		CHECK_EQ(pread_full(a, x, n, (off_t)(a_offset + at)), 0);
		CHECK_EQ(pread_full(b, y, n, (off_t)(b_offset + at)), 0);
		CHECK(memcmp(x, y, n) == 0);
	}
}

static void write_image(const struct manifest *m, int stream, uint64_t offset, unsigned threads,
			struct image_header *ret_header)
{
	struct image_write_options options = {.threads = threads};
	struct jsnap_error err = {0};

	CHECK_EQ(image_header_here(getpid(), ret_header, &err), 0);
	if (image_write(path, m, stream, offset, ret_header, &options, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static void check_open(const struct image *image, const struct image_header *header)
{
	const struct image_header *h = image_header(image);

	CHECK_STR(h->arch, "x86_64");
	CHECK_STR(h->kernel, header->kernel);
	CHECK_STR(h->machine, header->machine);
	CHECK_EQ(h->version, IMAGE_FORMAT_VERSION);
	CHECK_EQ(h->stream_size, header->stream_size);
	CHECK_EQ(h->created_realtime_ns, header->created_realtime_ns);
	CHECK(memcmp(&h->id, &header->id, sizeof(h->id)) == 0);
	CHECK_STR(manifest_note(image_manifest(image), "main"), "App");
}

/* Writes, opens, extracts twice (with one thread and with several), verifies. */
static void round_trip(uint64_t offset, uint64_t size, const uint32_t *pages, size_t n)
{
	CLEANUP_CLOSE int stream = stream_make(offset, size, pages, n);
	CLEANUP_CLOSE int out = memfd_create("out", MFD_CLOEXEC);
	CLEANUP_CLOSE int again = memfd_create("again", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_IMAGE struct image *image = NULL;
	struct image_header header, alone;
	struct jsnap_error err = {0};
	struct stat st, in_st;

	build(&m, size);
	write_image(&m, stream, offset, 3, &header);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_mtim.tv_nsec, 0);
	CHECK_EQ(image_read_header(fd, &alone, &err), 0);
	CHECK(memcmp(&alone, &header, sizeof(alone)) == 0);
	CHECK_EQ(image_open(fd, NULL, &image, &err), 0);
	check_open(image, &header);
	CHECK_EQ(image_extract(image, out, 3 * PAGE, 1, &err), 0);
	CHECK_EQ(fstat(out, &st), 0);
	CHECK_EQ(st.st_size, 3 * PAGE + size);
	same_stream(stream, offset, out, 3 * PAGE, size);
	CHECK_EQ(image_extract(image, again, 0, 4, &err), 0);
	same_stream(stream, offset, again, 0, size);
	CHECK_EQ(fstat(stream, &in_st), 0);
	CHECK_EQ(fstat(again, &st), 0);
	CHECK(st.st_blocks <= in_st.st_blocks);
	CHECK_EQ(image_verify(image, 2, &err), 0);
}

static void test_round_trips(void)
{
	static const uint32_t few[] = {0, 1, 5, 255, 256, 300};
	static const uint32_t big[] = {3,    900,  901,	  902,	 903,	3000,
				       8000, 8191, 16000, 16382, 16383, 16384};
	uint32_t many[700];

	for (uint32_t i = 0; i < 700; i++)
		many[i] = i;
	round_trip(0, 0, NULL, 0);
	round_trip(0, PAGE, few, 1);
	round_trip(2 * MIB, 301 * PAGE, few, 6);
	round_trip(PAGE, 700 * PAGE, many, 700);
	round_trip(HOT_STREAM_OFFSET, 64ull * MIB + PAGE, big, 12);
}

static void test_manifest_of_several_chunks(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_IMAGE struct image *image = NULL;
	CLEANUP_FREE unsigned char *noise = malloc(5 * MIB + 3);
	struct image_header header;
	struct image_id id;
	struct m_blob blob;

	build(&m, 0);
	fill(noise, 5 * MIB + 3, 1);
	CHECK_EQ(manifest_blob(&m, noise, 5 * MIB + 3, &blob), 0);
	write_image(&m, -1, 0, 2, &header);
	CHECK_EQ(image_manifest_id(&m, NULL, &id, NULL), 0);
	CHECK(memcmp(&id, &header.id, sizeof(id)) == 0);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(image_open(fd, NULL, &image, NULL), 0);
	CHECK(memcmp(manifest_bytes(image_manifest(image), blob), noise, blob.size) == 0);
	CHECK_EQ(image_verify(image, 1, NULL), 0);
}

/* The image comes through a pipe from a child that writes it in odd pieces. */
static void test_pipe(void)
{
	static const uint32_t pages[] = {1, 2, 3, 700, 1100};
	CLEANUP_CLOSE int stream = stream_make(0, 1200 * PAGE, pages, 5);
	CLEANUP_CLOSE int out = memfd_create("out", MFD_CLOEXEC);
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_IMAGE struct image *image = NULL;
	struct image_header header;
	struct jsnap_error err = {0};
	int ends[2], status;
	pid_t child;

	build(&m, 1200 * PAGE);
	write_image(&m, stream, 0, 0, &header);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		char bytes[777];
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;

		close(ends[0]);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write_full(ends[1], bytes, (size_t)n) < 0)
				_exit(1);
		_exit(n < 0);
	}
	close(ends[1]);
	CHECK_EQ(image_open(ends[0], NULL, &image, &err), 0);
	check_open(image, &header);
	CHECK_EQ(image_extract(image, out, 0, 0, &err), 0);
	same_stream(stream, 0, out, 0, 1200 * PAGE);
	CHECK_EQ(image_verify(image, 0, &err), -ESPIPE);
	close(ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* The whole way of a reader over these bytes: 0, or the error, which must say something. */
static int read_all(const void *data, size_t size, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = memfd_create("image", MFD_CLOEXEC);
	CLEANUP_IMAGE struct image *image = NULL;
	int r;

	CHECK(fd >= 0);
	CHECK_EQ(pwrite_full(fd, data, size, 0), 0);
	*err = (struct jsnap_error){0};
	r = image_open(fd, NULL, &image, err);
	if (r == 0)
		r = image_verify(image, 1, err);
	if (r < 0)
		CHECK(err->text[0] && err->code == -r);
	return r;
}

static void make_small(char **ret_data, size_t *ret_size)
{
	static const uint32_t pages[] = {0, 2, 3, 520, 1030};
	CLEANUP_CLOSE int stream = stream_make(0, 1031 * PAGE, pages, 5);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_header header;

	build(&m, 1031 * PAGE);
	write_image(&m, stream, 0, 1, &header);
	CHECK_EQ(read_file(path, 1u << 24, ret_data, ret_size), 0);
}

static void test_damage(void)
{
	CLEANUP_FREE char *data = NULL, *copy = NULL;
	struct jsnap_error err;
	size_t size;

	make_small(&data, &size);
	CHECK_EQ(read_all(data, size, &err), 0);
	CHECK(size < 4000);
	copy = malloc(size + 1);
	CHECK(copy);
	memcpy(copy, data, size);
	copy[size] = 0;
	CHECK_EQ(read_all(copy, size + 1, &err), -EBADMSG);
	CHECK(strstr(err.text, "after the image's end"));
	for (size_t n = 0; n < size; n++)
		CHECK(read_all(data, n, &err) < 0);
	srand(1);
	for (int i = 0; i < 2000; i++) {
		/* the ends are where unprotected bytes would be: visit each of theirs */
		size_t at = i < 700 ? size - 1 - (size_t)i : (size_t)rand() % size;

		copy[at] = (char)(copy[at] ^ (1 + rand() % 255));
		if (read_all(copy, size, &err) == 0) {
			fprintf(stderr, "a flipped byte at %zu goes unnoticed\n", at);
			exit(1);
		}
		copy[at] = data[at];
	}
}

/* Whole frames swapped, doubled, dropped or exchanged for equivalent ones have good checksums of
 * their own: only the checks over the whole file give them away. */
static void test_frames_moved(void)
{
	CLEANUP_FREE char *data = NULL, *copy = NULL;
	struct jsnap_error err;
	struct {
		uint32_t packed, raw, checksum;
	} entry[8];
	size_t size, at[9] = {0}, first, second;
	uint32_t count;

	make_small(&data, &size);
	copy = malloc(2 * size);
	CHECK(copy);
	memcpy(&count, data + size - 9, sizeof(count));
	CHECK_EQ(count, 1 + 1 + 5 + 1); /* header, manifest, page stream, trailer */
	memcpy(entry, data + size - 9 - sizeof(entry), sizeof(entry));
	for (int i = 0; i < 8; i++)
		at[i + 1] = at[i] + entry[i].packed;
	first = entry[2].packed;
	second = entry[3].packed;
	memcpy(copy, data, size);
	memcpy(copy + at[2], data + at[3], second);
	memcpy(copy + at[2] + second, data + at[2], first);
	CHECK_EQ(read_all(copy, size, &err), -EBADMSG); /* swapped */
	memcpy(copy + at[3], data + at[2], size - at[2]);
	CHECK_EQ(read_all(copy, size + first, &err), -EBADMSG); /* doubled */
	memcpy(copy + at[2], data + at[3], size - at[3]);
	CHECK_EQ(read_all(copy, size - first, &err), -EBADMSG); /* dropped */
	memcpy(copy + at[7], data + at[8], size - at[8]);
	CHECK_EQ(read_all(copy, size - entry[7].packed, &err), -EBADMSG); /* no trailer */
	memcpy(copy, data, size);
	memcpy(copy + size, data, size);
	CHECK_EQ(read_all(copy, 2 * size, &err), -EBADMSG); /* two images */
}

static void test_golden_bad(void)
{
	static const struct {
		const char *name, *word;
		int code;
	} bad[] = {
		{"empty", "cut off", EBADMSG},
		{"text", "not a jsnap image", EBADMSG},
		{"plain-zstd", "not a jsnap image", EBADMSG},
		{"huge-header", "not a jsnap image", EBADMSG},
		{"short-header", "cut off", EBADMSG},
		{"header-flipped", "checksum", EBADMSG},
		{"claims-much", "cut off", EBADMSG},
		{"frame-size", "out of range", EBADMSG},
		{"protection", "out of range", EBADMSG},
		{"newer-version", "version 99", ENOTSUP},
	};
	char file[512];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *data = NULL;
		struct jsnap_error err;
		size_t size;

		snprintf(file, sizeof(file), "%s/images/bad-%s.jsnap", FIXTURES, bad[i].name);
		CHECK_EQ(read_file(file, 1u << 20, &data, &size), 0);
		CHECK_EQ(read_all(data, size, &err), -bad[i].code);
		if (!strstr(err.text, bad[i].word))
			fprintf(stderr, "%s: %s\n", bad[i].name, err.text);
		CHECK(strstr(err.text, bad[i].word));
	}
}

/* A file size limit stands in for a full disk; `path` keeps what it had. */
static void test_disk_full(void)
{
	static const uint32_t pages[] = {0, 2, 3, 520, 1030};
	CLEANUP_CLOSE int stream = stream_make(0, 1031 * PAGE, pages, 5);
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE char *before = NULL, *after = NULL;
	struct image_header header = {0};
	struct jsnap_error err = {0};
	struct rlimit limit, small;
	size_t size, after_size;
	char command[256];

	build(&m, 1031 * PAGE);
	make_small(&before, &size);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
	for (rlim_t n = 500; n < size - 1; n += 300) {
		small = (struct rlimit){n, limit.rlim_max};
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
		CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), -EFBIG);
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		CHECK(strstr(err.text, path));
	}
	CHECK_EQ(read_file(path, 1u << 24, &after, &after_size), 0);
	CHECK(after_size == size && memcmp(before, after, size) == 0);
	snprintf(command, sizeof(command), "test \"$(ls -A %s)\" = test.jsnap", folder);
	CHECK_EQ(system(command), 0);
}

/* The origin that is handed out is the file's, without a look at what has its name. */
static void test_origin(void)
{
	CLEANUP_CLOSE int stream = stream_make(0, PAGE, NULL, 0);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_header header = {0};
	struct image_origin origin = {0}, named = {0};
	struct image_write_options options = {.origin = &origin};
	struct jsnap_error err = {0};
	int fd;

	build(&m, PAGE);
	CHECK_EQ(image_write(path, &m, stream, 0, &header, &options, &err), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(image_origin(fd, &header, &named, &err), 0);
	close(fd);
	CHECK(origin.size > 0 && origin.size == named.size);
	CHECK_EQ(origin.mtime_ns, named.mtime_ns);
	CHECK(memcmp(&origin.id, &named.id, sizeof(named.id)) == 0);
}

static void test_failures_leave_nothing(void)
{
	CLEANUP_CLOSE int stream = stream_make(0, PAGE, NULL, 0);
	CLEANUP_MANIFEST struct manifest m = {0};
	struct image_header header = {0};
	struct jsnap_error err = {0};
	char command[256], missing[256];

	build(&m, 2 * PAGE);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), -ENODATA);
	m.process->stream_size = PAGE + 1;
	CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), -EBADMSG);
	m.process->stream_size = m.pieces[0].size = PAGE;
	CHECK_EQ(image_write(folder, &m, stream, 0, &header, NULL, &err), -EISDIR);
	snprintf(missing, sizeof(missing), "%s/none/x.jsnap", folder);
	CHECK_EQ(image_write(missing, &m, stream, 0, &header, NULL, &err), -ENOENT);
	snprintf(command, sizeof(command), "test -z \"$(ls -A %s)\"", folder);
	CHECK_EQ(system(command), 0);
	snprintf(command, sizeof(command), "! ls -A %s/.. | grep -q '^\\.%s\\.'", folder,
		 strrchr(folder, '/') + 1);
	CHECK_EQ(system(command), 0);
	CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), 0);
}

static void test_zstd_program(void)
{
	static const uint32_t pages[] = {0, 2, 3, 520, 1030};
	CLEANUP_CLOSE int stream = stream_make(0, 1031 * PAGE, pages, 5);
	CLEANUP_MANIFEST struct manifest m = {0}, loaded = {0};
	struct image_header header;
	char command[512], file[256];
	size_t size;
	char *data;

	if (system("zstd --version >/dev/null 2>&1") != 0) {
		printf("not cross-checked with the zstd program: it is not installed\n");
		return;
	}
	build(&m, 1031 * PAGE);
	write_image(&m, stream, 0, 2, &header);
	snprintf(command, sizeof(command), "zstd -q -t < %s", path);
	CHECK_EQ(system(command), 0);
	snprintf(file, sizeof(file), "%s/out", folder);
	snprintf(command, sizeof(command), "zstd -q -dc < %s | head -c %llu > %s", path,
		 (unsigned long long)header.manifest_size, file);
	CHECK_EQ(system(command), 0);
	CHECK_EQ(read_file(file, 1u << 20, &data, &size), 0);
	CHECK_EQ(manifest_load(data, size, &loaded, NULL), 0);
	CHECK_STR(manifest_note(&loaded, "main"), "App");
	snprintf(command, sizeof(command), "zstd -q -dc < %s | tail -c +%llu > %s", path,
		 (unsigned long long)header.manifest_size + 1, file);
	CHECK_EQ(system(command), 0);
	CLEANUP_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	same_stream(stream, 0, fd, 0, 1031 * PAGE);
	unlink(file);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/jsnap-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.jsnap", folder);
	test_round_trips();
	test_manifest_of_several_chunks();
	test_pipe();
	test_damage();
	test_frames_moved();
	test_disk_full();
	test_origin();
	test_failures_leave_nothing();
	test_zstd_program();
	test_golden_bad();
	unlink(path);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
