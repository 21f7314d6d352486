/*
 * An image of any bytes, read from a file and then through the whole of verify and extract.
 *
 * Checksums stop a fuzzer at the first of them, so unless the first byte says otherwise they are
 * repaired before reading: header, image id where the manifest is one frame, the seals of a signed
 * image, trailer. The byte itself is not part of the image.
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz_key.h"
#include "image/image_format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>
#include <zstd.h>

#define STREAM_MAX (8u << 20) /* more takes time and finds nothing new */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair_id(uint8_t *image, size_t size, struct image_disk_header *d)
{
	size_t packed = ZSTD_findFrameCompressedSize(image + sizeof(*d), size - sizeof(*d));
	CLEANUP_FREE char *raw = NULL;
	size_t n;

	if (ZSTD_isError(packed) || d->manifest_size > IMAGE_FRAME_SIZE_MAX)
		return;
	raw = malloc(d->manifest_size + 1);
	n = raw ? ZSTD_decompress(raw, d->manifest_size, image + sizeof(*d), packed) : 0;
	if (!n || ZSTD_isError(n))
		return;
	XXH128_hash_t id = XXH3_128bits(raw, n);

	d->id = (struct image_id){.lo = id.low64, .hi = id.high64};
}

/* Of every frame that has one behind it, as if the holder of the key had written this. */
static void repair_seals(uint8_t *image, size_t size, struct image_disk_header *d)
{
	struct image_header header = {.protection = IMAGE_SIGNED};
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	uint64_t n_manifest = image_n_frames(d->manifest_size, d->frame_size), i = 0;
	size_t at = sizeof(*d);

	memcpy(header.salt, d->salt, sizeof(d->salt));
	memcpy(header.key_id, d->key_id, sizeof(d->key_id));
	if (image_seal_open(fuzz_key(), &header, &seal, NULL) < 0)
		return;
	image_seal_header_mac(seal, d, offsetof(struct image_disk_header, mac), d->mac);
	while (at < size) {
		size_t n = ZSTD_findFrameCompressedSize(image + at, size - at);
		struct seal_place place = {i < n_manifest ? IMAGE_SECTION_MANIFEST
							  : IMAGE_SECTION_STREAM,
					   i < n_manifest ? i : i - n_manifest};
		uint8_t mac[SEAL_MAC_SIZE];

		if (ZSTD_isError(n) || size - at - n < sizeof(struct image_disk_seal))
			return;
		image_seal_chunk_mac(seal, place, image + at, n, mac);
		memcpy(image + at + n + offsetof(struct image_disk_seal, mac), mac, sizeof(mac));
		at += n + sizeof(struct image_disk_seal);
		i++;
		if (size - at < 4 || memcmp(image + at, "\x28\xb5\x2f\xfd", 4) != 0)
			return;
	}
}

static void repair(uint8_t *image, size_t size)
{
	static const uint32_t magic = IMAGE_MAGIC_TRAILER;
	struct image_disk_header d;
	uint8_t *trailer;

	if (size < sizeof(d) + sizeof(struct image_disk_trailer))
		return;
	memcpy(&d, image, sizeof(d));
	repair_id(image, size, &d);
	if (d.protection == IMAGE_SIGNED && d.frame_size)
		repair_seals(image, size, &d);
	d.hash = XXH3_64bits(&d, sizeof(d) - sizeof(d.hash));
	memcpy(image, &d, sizeof(d));
	trailer = memmem(image + sizeof(d), size - sizeof(d), &magic, sizeof(magic));
	if (trailer && (size_t)(image + size - trailer) >= sizeof(struct image_disk_trailer)) {
		uint64_t offset = (uint64_t)(trailer - image);
		uint64_t hash = XXH3_64bits(image, offset);

		memcpy(trailer + 16, &offset, sizeof(offset));
		memcpy(trailer + 24, &hash, sizeof(hash));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_IMAGE struct image *image = NULL;
	CLEANUP_CLOSE int in = -1, out = -1;
	CLEANUP_FREE uint8_t *copy = NULL;
	const struct image_trust trust = {.key = fuzz_key()};
	struct image_header header;
	struct jsnap_error err = {0};

	if (size < 1)
		return 0;
	copy = malloc(size);
	in = memfd_create("in", MFD_CLOEXEC);
	out = memfd_create("out", MFD_CLOEXEC);
	if (!copy || in < 0 || out < 0)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] != 'R')
		repair(copy, size - 1);
	if (pwrite_full(in, copy, size - 1, 0) < 0)
		return 0;
	image_read_header(in, &header, NULL);
	if (image_open(in, &trust, &image, &err) < 0) {
		if (!err.text[0])
			abort();
		return 0;
	}
	if (image_header(image)->stream_size > STREAM_MAX)
		return 0;
	if (image_extract(image, out, 0, 1, &err) < 0) {
		if (!err.text[0])
			abort();
		return 0;
	}
	if (image_verify(image, 1, &err) < 0)
		abort();
	return 0;
}
