/*
 * manifest_load over any bytes. What loads must be safe to follow: printing reads every string,
 * blob, index and piece of it, and saving gives back the very bytes.
 */
#include "image/manifest_print.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *saved = NULL;
	CLEANUP_FCLOSE FILE *null = NULL;
	struct jsnap_error err = {0};
	void *copy = malloc(size ? size : 1);
	size_t saved_size;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (manifest_load(copy, size, &m, &err) < 0) {
		if (!err.text[0])
			abort();
		free(copy);
		return 0;
	}
	null = fopen("/dev/null", "w");
	if (!null || manifest_save(&m, &saved, &saved_size, &err) < 0)
		abort();
	if (saved_size != size || memcmp(saved, data, size) != 0)
		abort();
	manifest_print_text(&m, NULL, null);
	manifest_print_json(&m, NULL, null);
	if (manifest_set_note(&m, "fuzz", "yes", &err) == 0 && manifest_check(&m, &err) < 0)
		abort();
	return 0;
}
