/*
 * Writes the seeds of fuzz_image and fuzz_manifest anew, after a change of the format: seeds
 * tests/fuzz/corpus. The first byte of an image's is not the image's (fuzz_image.c).
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "../unit/manifest_sample.h"
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

static void write_seed(const char *path, const void *first, size_t n, const void *data, size_t size)
{
	CLEANUP_CLOSE int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (out < 0 || write_full(out, first, n) < 0 || write_full(out, data, size) < 0)
		die(path);
}

static void seed(const char *folder, const char *name, char first, unsigned pages, bool data,
		 enum image_protection protection)
{
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_CLOSE int stream = memfd_create("stream", MFD_CLOEXEC);
	CLEANUP_FREE char *image = NULL;
	struct image_header header = {.arch = "x86_64", .kernel = "6.1", .machine = "host"};
	struct image_write_options options = {.threads = 1};
	char path[4096], temporary[4104];
	size_t size;

	if (manifest_init(&m, NULL) < 0 || manifest_set_note(&m, "main", "App", NULL) < 0)
		die("the manifest");
	m.process->pid = 7;
	m.process->page_size = 4096;
	m.process->stream_size = pages * 4096ull;
	m.process->exe_backing = MANIFEST_NONE;
	MANIFEST_ADD(&m, threads)->tid = 7;
	if (pages)
		*MANIFEST_ADD(&m, pieces) = (struct m_piece){4096, pages * 4096ull, 0};
	if (protection != IMAGE_PLAIN && image_seal_new(fuzz_key(), protection, &seal, NULL) < 0)
		die("the seal");
	options.seal = seal;
	if (ftruncate(stream, pages * 4096) < 0 ||
	    (data && pwrite_full(stream, "data", 4, 5000) < 0))
		die("the stream");
	snprintf(path, sizeof(path), "%s/image/%s", folder, name);
	snprintf(temporary, sizeof(temporary), "%s.jsnap", path);
	if (image_write(temporary, &m, stream, 0, &header, &options, NULL) < 0 ||
	    read_file(temporary, 1u << 24, &image, &size) < 0 || unlink(temporary) < 0)
		die(temporary);
	write_seed(path, &first, 1, image, size);
}

static void manifest_seed(const char *folder, const char *name, void (*fill)(struct manifest *m))
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *data = NULL;
	char path[4096];
	size_t size;

	fill(&m);
	if (manifest_save(&m, &data, &size, NULL) < 0)
		die("the manifest");
	snprintf(path, sizeof(path), "%s/manifest/%s", folder, name);
	write_seed(path, "", 0, data, size);
}

static void nothing(struct manifest *m)
{
	if (manifest_init(m, NULL) < 0)
		die("the manifest");
	m->process->page_size = 4096;
	m->process->exe_backing = MANIFEST_NONE;
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
	manifest_seed(argv[1], "empty", nothing);
	manifest_seed(argv[1], "full", manifest_sample);
	return 0;
}
