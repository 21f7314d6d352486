/* conf_parse: any file is either understood or refused with its name in front; values stay checked.
 */
#include "conf/file.h"

#include <stdlib.h>
#include <string.h>

static bool fits(void *ctx, const char *pattern)
{
	(void)ctx;
	return strlen(pattern) % 2;
}

static const struct conf_application every_other = {fits, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};
	char *text = malloc(size + 1);
	int r;

	if (!text || conf_init(&values, &err) < 0)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	r = conf_parse(&values, text, size, "f.ini", CONF_GIVEN_FILE, &every_other, &err);
	if (r < 0 && (err.code != -r || strncmp(err.text, "f.ini", 5) != 0))
		abort();
	for (unsigned i = 0; i < SCHEMA_COUNT; i++)
		for (size_t k = 0; k < values.values[i].n_items; k++)
			if (conf_check(&schema_options[i], values.values[i].items[k], NULL) < 0)
				abort();
	free(text);
	return 0;
}
