/* jsnap inspect: one snapshot in full. */
#include "launcher/verbs.h"

#include "image/manifest_print.h"
#include "launcher/opened.h"

int verb_inspect(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_OPENED struct opened opened = {.slot = {.lock_fd = -1}, .fd = -1};
	int r = opened_find(settings, settings->argv[0], &opened, err);

	if (r < 0)
		return r;
	if (settings->json)
		manifest_print_json(image_manifest(opened.image), image_header(opened.image),
				    stdout);
	else
		manifest_print_text(image_manifest(opened.image), image_header(opened.image),
				    stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, "write to standard output");
	*ret_status = 0;
	return 0;
}
