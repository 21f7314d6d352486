/* fdinfo_parse: counts stay within their maximum, and refusals say why. */
#include "proc/fdinfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsnap_error err = {0};
	struct fdinfo info = {0};
	char *text = malloc(size + 1);
	int ret;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	ret = fdinfo_parse(text, &info, &err);
	if (ret < 0 && (err.code != -ret || !err.text[0]))
		abort();
	if (info.n_epoll > FDINFO_MAX_TARGETS || info.n_inotify > FDINFO_MAX_TARGETS ||
	    info.n_locks > FDINFO_MAX_TARGETS)
		abort();
	for (size_t i = 0; i < info.n_inotify; i++)
		if (info.inotify[i].wd < 0)
			abort();
	fdinfo_free(&info);
	free(text);
	return 0;
}
