/*
 * One stretch of touched pages longer than a system call transfers at once: read(2) and write(2)
 * stop 4 KiB short of 2 GiB.
 */
#include "victim.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>

#define SIZE ((UINT64_C(9) << 30) / 4)
#define PAGE 4096u

int main(int argc, char **argv)
{
	struct sysinfo machine;
	uint64_t *words;

	victim_init(argc, argv);
	SETUP(sysinfo(&machine) == 0);
	if (machine.freeram / SIZE * machine.mem_unit < 3)
		victim_lacks("less than %u GiB of memory are free", (unsigned)(3 * SIZE >> 30) + 1);
	words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(words != MAP_FAILED);
	for (uint64_t at = 0; at < SIZE / 8; at += PAGE / 8)
		words[at + at / 512 % 512] = at + 1;
	victim_ready();
	for (uint64_t at = 0; at < SIZE / 8; at += PAGE / 8) {
		if (words[at + at / 512 % 512] == at + 1)
			continue;
		victim_fault(__FILE__, __LINE__, "page %" PRIu64 " differs", at / 512);
		break;
	}
	return victim_result();
}
