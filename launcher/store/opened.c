/* See opened.h. */
#include "launcher/store/opened.h"

#include "base/cleanup.h"
#include "base/privilege.h"
#include "launcher/store/trust.h"

#include <fcntl.h>
#include <string.h>

static int open_slot(const struct settings *settings, struct opened *opened,
		     struct jsnap_error *err)
{
	int r = privilege_lower(err);

	if (r < 0)
		return r;
	/* a lock needs a file beside the image, for which a foreign folder may have no place; the
	 * open descriptor keeps the image readable in any case */
	if (access(opened->slot.lock, F_OK) == 0)
		store_lock(&opened->slot, STORE_LOCK_SHARED, false, NULL);
	opened->fd = store_open_image(&opened->slot, err);
	if (opened->fd < 0)
		return opened->fd;
	return trust_open_image(settings, opened->fd, &opened->image, err);
}

static int finish(const struct settings *settings, struct opened *opened, int r,
		  struct opened *ret_opened, struct jsnap_error *err)
{
	if (r == 0)
		r = open_slot(settings, opened, err);
	if (r < 0) {
		opened_close(opened);
		return r;
	}
	*ret_opened = *opened;
	return 0;
}

static int open_input(const struct settings *settings, struct opened *opened,
		      struct opened *ret_opened, struct jsnap_error *err)
{
	int r;

	opened->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (opened->fd < 0)
		return error_errno(err, "standard input");
	r = privilege_lower(err);
	if (r == 0)
		r = trust_open_image(settings, opened->fd, &opened->image, err);
	if (r < 0) {
		opened_close(opened);
		return error_context(err, "standard input");
	}
	*ret_opened = *opened;
	return 0;
}

int opened_find(const struct settings *settings, const char *word, struct opened *ret_opened,
		struct jsnap_error *err)
{
	struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};

	if (strcmp(word, "-") == 0)
		return open_input(settings, &opened, ret_opened, err);
	return finish(settings, &opened, store_find(settings, word, &opened.slot, err), ret_opened,
		      err);
}

int opened_open(const struct settings *settings, const char *path, struct opened *ret_opened,
		struct jsnap_error *err)
{
	struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};

	return finish(settings, &opened, store_slot_of_image(path, &opened.slot, err), ret_opened,
		      err);
}

void opened_close(struct opened *opened)
{
	if (opened->image)
		image_close(opened->image);
	if (opened->fd >= 0)
		close(opened->fd);
	store_slot_close(&opened->slot);
	*opened = (struct opened){.slot = {.lock_fd = -1}, .fd = -1};
}
