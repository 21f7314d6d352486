/* See restore_source.h. */
#include "launcher/restore/restore_source.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/privilege.h"
#include "launcher/report/log.h"
#include "launcher/restore/confinement.h"
#include "launcher/store/trust.h"

#include <string.h>
#include <sys/stat.h>

/* A hot copy that is missing or of another image is ordinary; one that is damaged is worth a line.
 */
static bool use_hot(struct restore_source *source)
{
	const struct store_slot *slot = source->slot;
	struct jsnap_error problem = {0};
	struct image_origin origin;
	int rc = image_origin(source->image_fd, source->header, &origin, &problem);

	if (rc == 0)
		rc = hot_open(slot->hot, &origin, image_seal(source->image), &source->hot,
			      &problem);
	if (rc < 0 && rc != -ENOENT && store_place(slot, PLACE_HOT, &problem) < 0)
		log_warn("no hot copy is kept: %s", problem.text);
	else if (rc == -ENOENT || rc == -ESTALE)
		log_debug("hot copy is made anew: %s", problem.text);
	else if (rc < 0)
		log_warn("hot copy is made anew: %s", problem.text);
	if (rc < 0)
		source->hot.fd = -1;
	return rc == 0;
}

static bool keeps_copy(const struct restore_source *source)
{
	return source->slot && trust_keeps_copy(source->settings, source->header->protection);
}

static int open_source(struct restore_source *source, struct jsnap_error *err)
{
	int rc;

	/* Nothing of an image is looked at with a capability effective, however jsnap has it. */
	rc = privilege_lower(err);
	if (rc < 0)
		return rc;
	rc = trust_open_header(source->settings, source->image_fd, &source->image, err);
	if (rc < 0)
		return rc;
	source->header = image_header(source->image);
	rc = confinement_check_arch(source->header, err);
	if (rc < 0)
		return rc;
	if (keeps_copy(source) && use_hot(source)) {
		source->manifest = &source->hot.manifest;
		return 0;
	}
	source->manifest = image_manifest(source->image);
	return image_read_manifest(source->image, err);
}

int restore_source_open(const struct settings *settings, const struct store_slot *slot, int fd,
			struct restore_source *ret_source, struct jsnap_error *err)
{
	int rc;

	*ret_source = (struct restore_source){
		.settings = settings, .slot = slot, .image_fd = fd, .hot.fd = -1};
	rc = open_source(ret_source, err);
	if (rc < 0)
		restore_source_close(ret_source);
	return rc;
}

static int extract(struct restore_source *source, struct hot *hot, struct jsnap_error *err)
{
	int rc = image_extract(source->image, hot->fd, hot->stream_offset, 0, err);
	uint64_t end = hot->stream_offset + source->manifest->process->stream_size;
	struct stat st;

	if (rc == 0)
		rc = fault_fail(FAULT_EXTRACT, EIO, err);
	if (rc < 0)
		return rc;
	/* Zero pages at the end are not written: the file must reach that far all the same. */
	if (fstat(hot->fd, &st) < 0 ||
	    ((uint64_t)st.st_size < end && ftruncate(hot->fd, (off_t)end) < 0))
		return error_errno(err, "extend the uncompressed copy");
	return 0;
}

/* Into a named hot copy, read back through the door that every later restore uses. */
static int make_hot(struct restore_source *source, struct jsnap_error *err)
{
	const struct store_slot *slot = source->slot;
	CLEANUP_HOT struct hot hot = {.fd = -1};
	struct image_origin origin;
	/* Before it is read: a change from then on makes the copy useless, not wrong. */
	int rc = image_origin(source->image_fd, source->header, &origin, err);

	if (rc == 0)
		rc = hot_create(slot->hot, &hot, err);
	if (rc < 0)
		return rc;
	hot.spare_others = slot->spare_others;
	rc = extract(source, &hot, err);
	if (rc == 0)
		rc = hot_commit(&hot, source->manifest, &origin, image_seal(source->image), err);
	if (rc == 0)
		rc = hot_open(slot->hot, &origin, image_seal(source->image), &source->hot, err);
	if (rc < 0)
		source->hot.fd = -1;
	return rc;
}

static int make_memory(struct restore_source *source, struct jsnap_error *err)
{
	int rc = hot_create(NULL, &source->hot, err);

	if (rc < 0) {
		source->hot.fd = -1;
		return rc;
	}
	return extract(source, &source->hot, err);
}

/* The folder is at fault, not the image: memory will do. */
static bool no_place(int rc)
{
	return rc == -EROFS || rc == -EACCES || rc == -EPERM || rc == -ENOSPC || rc == -EDQUOT ||
	       rc == -EFBIG || rc == -EEXIST;
}

static int load(struct restore_source *source, struct jsnap_error *err)
{
	int rc;

	if (source->hot.fd >= 0)
		return 0;
	if (!keeps_copy(source) || store_place(source->slot, PLACE_HOT, NULL) < 0)
		return make_memory(source, err);
	rc = make_hot(source, err);
	if (!no_place(rc))
		return rc;
	log_debug("no hot copy can be kept: %s", err->text);
	return make_memory(source, err);
}

int restore_source_load(struct restore_source *source, struct jsnap_error *err)
{
	int rc = load(source, err);

	image_forget_keys(source->image);
	return rc < 0 ? error_context(err, "%s",
				      source->slot ? source->slot->image : "standard input")
		      : 0;
}

void restore_source_close(struct restore_source *source)
{
	if (source->hot.fd >= 0)
		hot_close(&source->hot);
	if (source->image)
		image_close(source->image);
	if (source->image_fd >= 0)
		close(source->image_fd);
	*source = (struct restore_source){.image_fd = -1, .hot.fd = -1};
}
