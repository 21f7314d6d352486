/* See image_format.h. */
#include "image/image_format.h"

#include "base/cleanup.h"
#include "image/manifest_tables.h"
#include "image/place.h"

#include <string.h>
#include <xxhash.h>

void image_header_encode(const struct image_header *header, uint32_t frame_size,
			 const struct image_seal *seal, struct image_disk_header *ret_disk)
{
	struct image_disk_header d = {.skippable_magic = IMAGE_MAGIC_HEADER,
				      .skippable_size = sizeof(d) - 8,
				      .magic = PLACE_IMAGE_MAGIC,
				      .version = IMAGE_FORMAT_VERSION,
				      .frame_size = frame_size,
				      .manifest_size = header->manifest_size,
				      .stream_size = header->stream_size,
				      .id = header->id,
				      .created_realtime_ns = header->created_realtime_ns};

	memcpy(d.arch, header->arch, strnlen(header->arch, sizeof(d.arch) - 1));
	memcpy(d.kernel, header->kernel, strnlen(header->kernel, sizeof(d.kernel) - 1));
	memcpy(d.machine, header->machine, strnlen(header->machine, sizeof(d.machine) - 1));
	memcpy(d.lsm, header->lsm, strnlen(header->lsm, sizeof(d.lsm) - 1));
	memcpy(d.lsm_label, header->lsm_label, strnlen(header->lsm_label, sizeof(d.lsm_label) - 1));
	if (seal) {
		d.protection = seal->protection;
		memcpy(d.key_id, seal->key_id, sizeof(d.key_id));
		memcpy(d.salt, seal->salt, sizeof(d.salt));
		image_seal_header_mac(seal, &d, offsetof(struct image_disk_header, mac), d.mac);
	}
	d.hash = XXH3_64bits(&d, sizeof(d) - sizeof(d.hash));
	*ret_disk = d;
}

static bool sizes_ok(const struct image_disk_header *d)
{
	uint32_t f = d->frame_size;

	if (f < IMAGE_FRAME_SIZE_MIN || f > IMAGE_FRAME_SIZE_MAX || (f & (f - 1)))
		return false;
	if (!d->manifest_size || d->manifest_size > MANIFEST_SIZE_MAX)
		return false;
	if (d->stream_size > MANIFEST_STREAM_MAX || d->stream_size % IMAGE_PAGE)
		return false;
	return image_n_frames(d->manifest_size, f) + image_n_frames(d->stream_size, f) <=
	       IMAGE_FRAMES_MAX - 2;
}

static bool protection_ok(const struct image_disk_header *d)
{
	static const struct image_disk_header none;

	if (d->zero || d->protection > IMAGE_ENCRYPTED)
		return false;
	return d->protection != IMAGE_PLAIN ||
	       (memcmp(d->key_id, none.key_id, sizeof(none.key_id)) == 0 &&
		memcmp(d->salt, none.salt, sizeof(none.salt)) == 0 &&
		memcmp(d->mac, none.mac, sizeof(none.mac)) == 0);
}

static bool texts_ok(const struct image_disk_header *d)
{
	return !d->arch[sizeof(d->arch) - 1] && !d->kernel[sizeof(d->kernel) - 1] &&
	       !d->machine[sizeof(d->machine) - 1] && !d->lsm[sizeof(d->lsm) - 1] &&
	       !d->lsm_label[sizeof(d->lsm_label) - 1];
}

int image_header_decode(const void *data, size_t size, struct image_header *ret_header,
			uint32_t *ret_frame_size, struct jsnap_error *err)
{
	struct image_disk_header d = {0};
	uint64_t hash;

	if (size < offsetof(struct image_disk_header, manifest_size) + sizeof(hash))
		return error_set(err, EBADMSG, "image header: %zu bytes are too few", size);
	memcpy(&d, data, size < sizeof(d) ? size : sizeof(d));
	if (memcmp(d.magic, PLACE_IMAGE_MAGIC, PLACE_MAGIC_SIZE) != 0)
		return error_set(err, EBADMSG,
				 "damaged, or not a jsnap image: JSNAPIMG is missing");
	memcpy(&hash, (const char *)data + size - sizeof(hash), sizeof(hash));
	if (XXH3_64bits(data, size - sizeof(hash)) != hash)
		return error_set(err, EBADMSG, "image header: damaged, its checksum differs");
	if (d.version != IMAGE_FORMAT_VERSION)
		return error_set(err, ENOTSUP,
				 "image header: format version %u, this jsnap reads version %u",
				 d.version, IMAGE_FORMAT_VERSION);
	if (size != sizeof(d) || !sizes_ok(&d) || !texts_ok(&d) || !protection_ok(&d))
		return error_set(err, EBADMSG, "image header: a field is out of range");
	*ret_header = (struct image_header){.version = d.version,
					    .manifest_size = d.manifest_size,
					    .stream_size = d.stream_size,
					    .id = d.id,
					    .created_realtime_ns = d.created_realtime_ns,
					    .protection = (enum image_protection)d.protection};
	memcpy(ret_header->arch, d.arch, sizeof(d.arch));
	memcpy(ret_header->kernel, d.kernel, sizeof(d.kernel));
	memcpy(ret_header->machine, d.machine, sizeof(d.machine));
	memcpy(ret_header->lsm, d.lsm, sizeof(d.lsm));
	memcpy(ret_header->lsm_label, d.lsm_label, sizeof(d.lsm_label));
	memcpy(ret_header->key_id, d.key_id, sizeof(d.key_id));
	memcpy(ret_header->salt, d.salt, sizeof(d.salt));
	*ret_frame_size = d.frame_size;
	return 0;
}

void image_id_of(const void *manifest, size_t size, const struct image_seal *seal,
		 struct image_id *ret_id)
{
	XXH128_hash_t hash;

	if (seal && seal->protection == IMAGE_ENCRYPTED) {
		image_seal_manifest_id(seal, manifest, size, ret_id);
		return;
	}
	hash = XXH3_128bits(manifest, size);
	*ret_id = (struct image_id){.lo = hash.low64, .hi = hash.high64};
}

int seek_table_add(struct seek_table *table, uint64_t packed_size, uint64_t raw_size,
		   uint32_t checksum, struct jsnap_error *err)
{
	if (table->count == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		struct seek_entry *grown = realloc(table->entries, cap * sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "no memory for a seek table of %zu entries",
					 cap);
		table->entries = grown;
		table->cap = cap;
	}
	table->entries[table->count++] = (struct seek_entry){
		.packed_size = (uint32_t)packed_size,
		.raw_size = (uint32_t)raw_size,
		.checksum = checksum,
	};
	return 0;
}

void seek_table_free(struct seek_table *table)
{
	free(table->entries);
	*table = (struct seek_table){0};
}

void seek_table_ends(const struct seek_table *table, struct seek_head *ret_head,
		     struct seek_foot *ret_foot)
{
	*ret_foot = (struct seek_foot){.count = (uint32_t)table->count,
				       .descriptor = IMAGE_SEEK_DESCRIPTOR,
				       .seekable_magic = IMAGE_MAGIC_SEEKABLE};
	*ret_head = (struct seek_head){
		.skippable_magic = IMAGE_MAGIC_SEEK_TABLE,
		.skippable_size =
			(uint32_t)(table->count * sizeof(struct seek_entry) + sizeof(*ret_foot)),
	};
}

bool image_is_zero(const void *data, size_t size)
{
	const unsigned char *p = data;

	return !size || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}
