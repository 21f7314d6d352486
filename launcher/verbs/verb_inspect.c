/* jsnap inspect: one snapshot in full. */
#include "launcher/verbs/verbs.h"

#include "image/manifest_print.h"
#include "launcher/verbs/find_text.h"
#include "launcher/store/opened.h"

#include <errno.h>
#include <string.h>

int verb_inspect(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_OPENED struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};
	bool found = false;
	int r = opened_find(settings, settings->argv[0], &opened, err);

	if (r == -EBADMSG && strcmp(settings->argv[0], "-") != 0)
		return error_context(err, "%s", settings->argv[0]);
	if (r < 0)
		return r;
	if (settings->n_find) {
		uint64_t places;

		r = find_text(opened.image, settings->find, settings->n_find, stdout, &places, err);
		if (r < 0)
			return r;
		if (!places)
			puts("not found");
		found = places;
	} else if (settings->json)
		manifest_print_json(image_manifest(opened.image), image_header(opened.image),
				    stdout);
	else
		manifest_print_text(image_manifest(opened.image), image_header(opened.image),
				    stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	*ret_status = found ? 1 : 0;
	return 0;
}
