// SPDX-License-Identifier: MIT
/* Maps /pattern for execution, as a library is, and touches the pages that it is given. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE	4096

int main(int count, char **words)
{
	int fd = open("/pattern", O_RDONLY);
	const volatile uint8_t *bytes;
	struct stat status;

	fstat(fd, &status);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return 1;
	for (int n = 1; n < count; n++)
		(void)bytes[atoi(words[n]) * PAGE];
	return 0;
}
