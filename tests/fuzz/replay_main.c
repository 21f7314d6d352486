/* Stands in for libFuzzer: runs the target on every file of the given folders. */
#include "base/cleanup.h"
#include "base/io.h"

#include <stdint.h>
#include <string.h>

#define REPLAY_MAX_FILE (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name)
{
	CLEANUP_FREE char *data = NULL;
	char path[4096];
	size_t size;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ret = read_file(path, REPLAY_MAX_FILE, &data, &size);
	if (ret < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-ret));
		return ret;
	}
	/* An exact copy, so that a sanitizer sees a read past the end. */
	{
		CLEANUP_FREE uint8_t *exact = malloc(size ? size : 1);

		if (!exact)
			return -ENOMEM;
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
	}
	return 0;
}

/* The number of files run, or -errno. */
static int replay_folder(const char *folder)
{
	CLEANUP_CLOSEDIR DIR *dir = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	if (!dir) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return -EIO;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(folder, entry->d_name) < 0)
			return -EIO;
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);

		if (count <= 0) {
			fprintf(stderr, "%s: no input was run\n", argv[i]);
			return 1;
		}
		printf("%s: %d inputs\n", argv[i], count);
	}
	return argc > 1 ? 0 : 1;
}
