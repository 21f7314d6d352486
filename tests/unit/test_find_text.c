/* inspect --find: in pages and records, as bytes and as UTF-16, across windows; and - as the image.
 */
#include "launcher/verbs/find_text.h"

#include "base/cleanup.h"
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>

#define STREAM (9u << 20)

static struct image *make(int *ret_fd)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_CLOSE int stream = memfd_create("stream", MFD_CLOEXEC);
	struct image_header header = {.arch = "x86_64"};
	struct image *image = NULL;
	struct jsnap_error err = {0};
	char path[] = "/tmp/jsnap-find-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(manifest_init(&m, NULL), 0);
	m.process->page_size = 4096;
	m.process->stream_size = STREAM;
	m.process->exe_backing = MANIFEST_NONE;
	*MANIFEST_ADD(&m, vmas) = (struct m_vma){.start = 0x100000, .end = 0x100000 + STREAM};
	CHECK_EQ(manifest_string(&m, "[heap]", &m.vmas[0].name), 0);
	m.vmas[0].n_pieces = 1;
	*MANIFEST_ADD(&m, pieces) = (struct m_piece){0x100000, STREAM, 0};
	CHECK_EQ(manifest_set_note(&m, "env", "TOKEN=in-a-record", NULL), 0);
	CHECK_EQ(ftruncate(stream, STREAM), 0);
	CHECK_EQ(pwrite(stream, "hunter2", 7, 5000), 7);
	CHECK_EQ(pwrite(stream, "h\0u\0n\0t\0e\0r\0002\0", 14, 8200), 14);
	CHECK_EQ(pwrite(stream, "hunter2", 7, (4 << 20) - 3), 7);
	CHECK_EQ(pwrite(stream, "hunter2", 7, STREAM - 7), 7);
	CHECK_EQ(image_write(path, &m, stream, 0, &header, NULL, &err), 0);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	CHECK_EQ(image_open(*ret_fd, NULL, &image, &err), 0);
	return image;
}

static uint64_t find(struct image *image, const char *word, char **ret_text)
{
	struct jsnap_error err = {0};
	uint64_t places = 0;
	size_t size;
	FILE *out = open_memstream(ret_text, &size);

	CHECK_EQ(find_text(image, &word, 1, out, &places, &err), 0);
	fclose(out);
	return places;
}

int main(void)
{
	CLEANUP_CLOSE int fd = -1;
	CLEANUP_IMAGE struct image *image = make(&fd);
	struct jsnap_error err = {0};
	const char *empty = "";
	uint64_t places;
	char *text;

	CHECK_EQ(find(image, "hunter2", &text), 4);
	CHECK(strstr(text, "(bytes): memory at 0x101388 ([heap])"));
	CHECK(strstr(text, "(UTF-16): memory at 0x102008 ([heap])"));
	CHECK(strstr(text, "memory at 0x4ffffd"));
	CHECK(!strstr(text, "hunter"));
	free(text);
	CHECK_EQ(find(image, "in-a-record", &text), 1);
	CHECK(strstr(text, "the manifest at"));
	free(text);
	CHECK_EQ(find(image, "hunter3", &text), 0);
	free(text);
	CHECK_EQ(find_text(image, &empty, 1, stdout, &places, &err), -EINVAL);
	return 0;
}
