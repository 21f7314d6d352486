/*
 * Writes the seeds of fuzz_image anew, after a change of the format: seeds FOLDER. The first byte
 * is not the image's (fuzz_image.c).
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void seed(const char *folder, const char *name, char first, unsigned pages, bool data,
		 enum image_protection protection)
{
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_CLOSE int stream = memfd_create("stream", MFD_CLOEXEC), out = -1;
	CLEANUP_FREE char *image = NULL;
	struct image_header header = {.arch = "x86_64", .kernel = "6.1", .machine = "host"};
	struct image_write_options options = {.threads = 1};
	char path[4096], temporary[4096];
	size_t size;

	if (manifest_init(&m, NULL) < 0 || manifest_set_note(&m, "main", "App", NULL) < 0)
		die("the manifest");
	m.process->pid = 7;
	m.process->page_size = 4096;
	m.process->stream_size = pages * 4096ull;
	m.process->exe_backing = MANIFEST_NONE;
	MANIFEST_ADD(&m, threads)->tid = 7;
	if (protection != IMAGE_PLAIN && image_seal_new(fuzz_key(), protection, &seal, NULL) < 0)
		die("the seal");
	options.seal = seal;
	if (ftruncate(stream, pages * 4096) < 0 ||
	    (data && pwrite_full(stream, "data", 4, 5000) < 0))
		die("the stream");
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(temporary, sizeof(temporary), "%s/%s.jsnap", folder, name);
	if (image_write(temporary, &m, stream, 0, &header, &options, NULL) < 0 ||
	    read_file(temporary, 1u << 24, &image, &size) < 0 || unlink(temporary) < 0)
		die(temporary);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || write_full(out, &first, 1) < 0 || write_full(out, image, size) < 0)
		die(path);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: seeds FOLDER;");
	seed(argv[1], "full", 'F', 3, true, IMAGE_PLAIN);
	seed(argv[1], "full-raw", 'R', 3, true, IMAGE_PLAIN);
	seed(argv[1], "no-stream", 'F', 0, false, IMAGE_PLAIN);
	seed(argv[1], "zeros", 'F', 600, false, IMAGE_PLAIN);
	seed(argv[1], "signed", 'F', 600, true, IMAGE_SIGNED);
	seed(argv[1], "encrypted", 'R', 3, true, IMAGE_ENCRYPTED);
	return 0;
}
