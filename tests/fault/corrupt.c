/*
 * Any damage to an image is found before a process is made of it: N random corruptions, each read
 * as a restore reads it (header, manifest, all pages into memory), must end in an error, and in
 * nothing worse; this program is built with AddressSanitizer and UndefinedBehaviorSanitizer
 * whatever the rest is built with.
 *
 * corrupt N [SEED [signed|encrypted]]
 *
 * With a key, half of the damage is an attacker's: he puts the checksums of header and whole right.
 */
#include "image/image_format.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define STREAM	 (1280u << 10)
#define HANG_S	 20 /* for one image of a megabyte */
#define EDIT_MAX 512u

static uint64_t state;
static enum image_protection protection;
static struct image_key *key; /* NULL: plain images */

static uint64_t draw(uint64_t below) /* splitmix64 */
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % below;
}

static void must(int r, const struct jsnap_error *err, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(1);
}

static void fill_manifest(struct manifest *m)
{
	struct jsnap_error err = {0};
	char name[32];

	must(manifest_init(m, &err), &err, "manifest");
	m->process->pid = 100;
	m->process->page_size = 4096;
	m->process->stream_size = STREAM;
	m->process->exe_backing = MANIFEST_NONE;
	for (uint32_t i = 0; i < 40; i++) {
		struct m_thread *t = MANIFEST_ADD(m, threads);
		unsigned char xsave[840];

		for (size_t k = 0; k < sizeof(xsave); k++)
			xsave[k] = (unsigned char)draw(256);
		t->tid = 100 + i;
		snprintf(t->comm, sizeof(t->comm), "thread %u", i);
		must(manifest_blob(m, xsave, sizeof(xsave), &t->xsave), &err, "blob");
	}
	for (uint32_t i = 0; i < 20; i++) {
		struct m_vma *v = MANIFEST_ADD(m, vmas);

		*v = (struct m_vma){.start = 0x10000000ull + (uint64_t)i * 0x100000,
				    .end = 0x10000000ull + (uint64_t)i * 0x100000 + 65536,
				    .first_piece = i,
				    .n_pieces = 1};
		*MANIFEST_ADD(m, pieces) =
			(struct m_piece){.addr = v->start, .size = 65536, .offset = i * 65536ull};
		snprintf(name, sizeof(name), "/lib/%u.so", i);
		MANIFEST_ADD(m, backings)->content_object = MANIFEST_NONE;
		must(manifest_string(m, name, &m->backings[i].path), &err, "string");
	}
}

/* Zeros, text and noise, as memory has them. */
static int make_stream(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	char page[4096];

	for (unsigned at = 0; at < STREAM; at += sizeof(page)) {
		unsigned kind = (unsigned)draw(8);

		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (char)(kind == 0 ? draw(256) : kind < 4 ? 'a' + draw(3) : 0);
		if (kind < 4 && pwrite(fd, page, sizeof(page), at) != (ssize_t)sizeof(page))
			exit(1);
	}
	if (ftruncate(fd, STREAM) < 0)
		exit(1);
	return fd;
}

static void make_key(void)
{
	CLEANUP_CLOSE int fd = memfd_create("key", MFD_CLOEXEC);
	struct jsnap_error err = {0};
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fchmod(fd, 0600) < 0 || write_full(fd, "a key for the corruptions, 32 by", 32) < 0)
		exit(1);
	must(image_key_load(path, &key, &err), &err, "key");
}

/* Of an image whose trailer is where it was. */
static void repair(char *data, size_t trailer_at)
{
	struct image_disk_header header;
	struct image_disk_trailer trailer;

	memcpy(&header, data, sizeof(header));
	header.hash = XXH3_64bits(&header, sizeof(header) - sizeof(header.hash));
	memcpy(data, &header, sizeof(header));
	memcpy(&trailer, data + trailer_at, sizeof(trailer));
	trailer.hash = XXH3_64bits(data, trailer_at);
	memcpy(data + trailer_at, &trailer, sizeof(trailer));
}

static void make_image(char **ret_data, size_t *ret_size)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_CLOSE int stream = make_stream();
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	struct image_header header = {.arch = "x86_64", .kernel = "6.1", .machine = "host"};
	struct jsnap_error err = {0};
	char folder[] = "/tmp/jsnap-corrupt-XXXXXX", path[64];

	fill_manifest(&m);
	if (key)
		must(image_seal_new(key, protection, &seal, &err), &err, "seal");
	if (!mkdtemp(folder))
		exit(1);
	snprintf(path, sizeof(path), "%s/x.jsnap", folder);
	must(image_write(path, &m, stream, 0, &header,
			 &(struct image_write_options){.threads = 1, .seal = seal}, &err),
	     &err, "image_write");
	must(read_file(path, 16u << 20, ret_data, ret_size), &err, "read");
	unlink(path);
	rmdir(folder);
}

/* 0 when everything in it was accepted. */
static int read_image(const char *data, size_t size, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = memfd_create("image", MFD_CLOEXEC);
	CLEANUP_CLOSE int out = memfd_create("pages", MFD_CLOEXEC);
	CLEANUP_IMAGE struct image *image = NULL;
	const struct image_trust trust = {key, protection};
	int r;

	if (write_full(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		exit(1);
	r = image_open(fd, &trust, &image, err);
	return r < 0 ? r : image_extract(image, out, 0, 1, err);
}

enum { BIT, BYTE, BURST, ZEROS, CUT, APPEND, REMOVE, INSERT, SWAP, REPEAT, KINDS };
static const char *const kind_names[KINDS] = {"bit",	"byte",	  "burst",  "zeros", "cut",
					      "append", "remove", "insert", "swap",  "repeat"};

/* Half the damage goes to where structure is dense: the first and last kilobytes. */
static size_t place(size_t size)
{
	uint64_t where = draw(4);

	if (where == 0)
		return draw(size < 2048 ? size : 2048);
	if (where == 1)
		return size - 1 - draw(size < 2048 ? size : 2048);
	return draw(size);
}

static size_t damage(char *data, size_t size, unsigned kind)
{
	size_t at = place(size), n = 1 + draw(EDIT_MAX), other = draw(size);

	if (n > size - at)
		n = size - at;
	switch (kind) {
	case BIT:
		data[at] ^= (char)(1 << draw(8));
		return size;
	case BYTE:
		data[at] = (char)draw(256);
		return size;
	case BURST:
		for (size_t i = 0; i < n; i++)
			data[at + i] = (char)draw(256);
		return size;
	case ZEROS:
		memset(data + at, draw(2) ? 0 : 0xff, n);
		return size;
	case CUT:
		return at;
	case APPEND:
		for (size_t i = 0; i < n; i++)
			data[size + i] = (char)(draw(2) ? 0 : draw(256));
		return size + n;
	case REMOVE:
		memmove(data + at, data + at + n, size - at - n);
		return size - n;
	case INSERT:
		memmove(data + at + n, data + at, size - at);
		for (size_t i = 0; i < n; i++)
			data[at + i] = (char)draw(256);
		return size + n;
	case SWAP:
		if (n > size - other)
			n = size - other;
		for (size_t i = 0; i < n; i++) {
			char c = data[at + i];

			data[at + i] = data[other + i];
			data[other + i] = c;
		}
		return size;
	default:
		if (n > size - other)
			n = size - other;
		memmove(data + at, data + other, n);
		return size;
	}
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, found[KINDS] = {0},
		      same = 0;
	char *good = NULL, *bad;
	size_t size = 0, bad_size, trailer_at;
	const uint32_t magic = IMAGE_MAGIC_TRAILER;
	struct jsnap_error err;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 20260101;
	if (argc > 3) {
		protection = strcmp(argv[3], "signed") == 0 ? IMAGE_SIGNED : IMAGE_ENCRYPTED;
		make_key();
	}
	make_image(&good, &size);
	trailer_at = (size_t)((char *)memmem(good, size, &magic, sizeof(magic)) - good);
	must(read_image(good, size, &err), &err, "the image itself");
	bad = malloc(size + EDIT_MAX);
	for (unsigned long i = 0; i < n; i++) {
		uint64_t before = state;
		unsigned kind = (unsigned)draw(KINDS);

		memcpy(bad, good, size);
		bad_size = damage(bad, size, kind);
		if (key && bad_size == size && draw(2))
			repair(bad, trailer_at);
		if (bad_size == size && memcmp(bad, good, size) == 0) {
			same++;
			continue;
		}
		alarm(HANG_S);
		if (read_image(bad, bad_size, &err) >= 0) {
			fprintf(stderr, "FAILED: %s accepted; again: %s 1 %llu %s\n",
				kind_names[kind], argv[0], (unsigned long long)before,
				argc > 3 ? argv[3] : "");
			return 1;
		}
		if (!err.text[0] || err.code <= 0) {
			fprintf(stderr, "FAILED: %s without a word\n", kind_names[kind]);
			return 1;
		}
		found[kind]++;
	}
	printf("%s image of %zu bytes:", image_protection_name(protection), size);
	for (unsigned kind = 0; kind < KINDS; kind++)
		printf(" %s %lu", kind_names[kind], found[kind]);
	printf("; all found (%lu changed nothing)\n", same);
	image_key_free(key);
	free(bad);
	free(good);
	return 0;
}
