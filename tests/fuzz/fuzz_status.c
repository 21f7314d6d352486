/* proc_status_parse and proc_stat_parse. */
#include "proc/status.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsnap_error err = {0};
	struct proc_status status;
	struct proc_stat stat;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (proc_status_parse(text, &status, &err) < 0) {
		if (!err.code || !err.text[0])
			abort();
	} else if (status.ns_depth < 1) {
		abort();
	}
	if (proc_stat_parse(text, &stat, &err) == 0 && strlen(stat.comm) >= sizeof(stat.comm))
		abort();
	free(text);
	return 0;
}
