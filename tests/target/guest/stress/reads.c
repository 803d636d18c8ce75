// SPDX-License-Identifier: MIT
/* Operations that read and copy pages without a mapping, or out of one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

#define READ_BYTES	(6 * PAGE)

static _Thread_local uint8_t bytes[READ_BYTES];

static const struct file *some_file(struct worker *worker, size_t *from, size_t *size)
{
	const struct file *file = &worker->volume->files[pick(worker, FILE_WITNESS)];

	*from = pick(worker, (uint32_t)file->size);
	*size = 1 + pick(worker, READ_BYTES);
	if (*size > file->size - *from)
		*size = file->size - *from;
	return file;
}

void op_read(struct worker *worker)
{
	size_t from, size;
	const struct file *file = some_file(worker, &from, &size);
	size_t half = size / 2;
	struct iovec pieces[] = { { bytes, half }, { bytes + half, size - half } };
	ssize_t got;

	if (pick(worker, 2))
		got = pread(file->fd, bytes, READ_BYTES, (off_t)from);
	else
		got = preadv(file->fd, pieces, 2, (off_t)from);
	if (got < (ssize_t)size)
		wrong("read", file, from);
	else
		is_right("read", file, bytes, from, size);
}

/* The kernel itself writes into private pages of a file. */
void op_read_into(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);
	size_t page = mapping.pages ? pick(worker, (uint32_t)mapping.pages) : 0, from, size;
	const struct file *file = some_file(worker, &from, &size);

	if (!mapping.pages)
		return;
	if (size > PAGE)
		size = PAGE;
	if (pread(file->fd, mapping.at + page * PAGE, size, (off_t)from) != (ssize_t)size)
		wrong("read into", file, from);
	is_right("read into", file, mapping.at + page * PAGE, from, size);
	for (size_t other = 0; other < mapping.pages; other++)
		if (other != page)
			check_page("read into", &mapping, other);
	unmap(&mapping);
}

/* Empty a pipe, and hold what comes out against the file. */
static void drain(const char *what, int pipe, const struct file *file, size_t from, ssize_t size)
{
	while (size > 0) {
		size_t wanted = size < READ_BYTES ? (size_t)size : READ_BYTES;
		ssize_t got = read(pipe, bytes, wanted);

		if (got <= 0 || !is_right(what, file, bytes, from, (size_t)got))
			return;
		from += (size_t)got;
		size -= got;
	}
}

void op_splice(struct worker *worker)
{
	size_t from, size;
	const struct file *file = some_file(worker, &from, &size);
	int first[2], second[2];
	off_t at = (off_t)from;
	ssize_t sent;

	if (pipe2(first, O_CLOEXEC) || pipe2(second, O_CLOEXEC))
		return;
	if (pick(worker, 2))
		sent = splice(file->fd, &at, first[1], NULL, size, 0);
	else
		sent = sendfile(first[1], file->fd, &at, size);
	if (sent <= 0)
		wrong("splice", file, from);
	if (sent > 0 && pick(worker, 2))
		drain("tee", second[0], file, from, tee(first[0], second[1], (size_t)sent, 0));
	if (sent > 0)
		drain("splice", first[0], file, from, sent);
	for (int n = 0; n < 2; n++) {
		close(first[n]);
		close(second[n]);
	}
}

/* Out of a mapping into a pipe. vmsplice() may fail on a page in place. */
void op_write_out(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ, 0);
	size_t page = mapping.pages ? pick(worker, (uint32_t)mapping.pages) : 0;
	size_t from = (mapping.first + page) * PAGE;
	size_t size = mapping.file->size - from < PAGE ? mapping.file->size - from : PAGE;
	struct iovec piece = { mapping.at + page * PAGE, size };
	int ends[2];
	ssize_t sent;

	if (!mapping.pages || pipe2(ends, O_CLOEXEC))
		return;
	if (pick(worker, 2)) {
		sent = write(ends[1], piece.iov_base, size);
		if (sent != (ssize_t)size)
			wrong("write out", mapping.file, from);
	} else {
		sent = vmsplice(ends[1], &piece, 1, 0);
		if (sent < 0 && errno != EFAULT && errno != EEXIST)
			wrong("vmsplice", mapping.file, (size_t)errno);
	}
	drain("write out", ends[0], mapping.file, from, sent);
	close(ends[0]);
	close(ends[1]);
	unmap(&mapping);
}

/* As debuggers read and write: the truth, or an error. */
void op_remote(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ, 0);
	size_t page = mapping.pages ? pick(worker, (uint32_t)mapping.pages) : 0;
	size_t from = (mapping.first + page) * PAGE;
	uint8_t *at = mapping.at + page * PAGE;
	struct iovec here = { bytes, 64 }, there = { at, 64 };
	uint32_t mark = MARK;
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	if (mapping.pages && from + 64 <= mapping.file->size) {
		check_page("remote, before", &mapping, page);
		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 64)
			is_right("process_vm_readv", mapping.file, bytes, from, 64);
		if (pread(memory, bytes, 64, (off_t)(uintptr_t)at) == 64)
			is_right("/proc/self/mem", mapping.file, bytes, from, 64);
		if (pwrite(memory, &mark, 4, (off_t)(uintptr_t)(at + MARK_WORD * 4)) == 4)
			mapping.written |= UINT64_C(1) << page;
		check_mapping("remote, after", &mapping);
	}
	close(memory);
	unmap(&mapping);
}

void op_cache(struct worker *worker)
{
	size_t from, size;
	const struct file *file = some_file(worker, &from, &size);
	struct mapping mapping = map_some(worker, PROT_READ, 0);
	static _Thread_local unsigned char cached[MAPPING_PAGES];

	switch (pick(worker, 3)) {
	case 0:
		posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
		break;
	case 1:
		posix_fadvise(file->fd, (off_t)from, (off_t)size, POSIX_FADV_WILLNEED);
		break;
	default:
		readahead(file->fd, (off_t)from, size);
	}
	if (mapping.pages) {
		mincore(mapping.at, mapping.pages * PAGE, cached);
		check_page("cache", &mapping, pick(worker, (uint32_t)mapping.pages));
	}
	unmap(&mapping);
}

/* What walks page tables on somebody's behalf. */
void op_proc(struct worker *worker)
{
	static const char *const paths[] = { "/proc/self/smaps", "/proc/self/smaps_rollup",
					     "/proc/self/pagemap", "/proc/self/maps" };
	static const char *const references[] = { "1", "3", "4", "5" };
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);
	int fd;

	if (mapping.pages)
		check_page("proc", &mapping, pick(worker, (uint32_t)mapping.pages));
	fd = open(paths[pick(worker, 4)], O_RDONLY | O_CLOEXEC);
	lseek(fd, (off_t)((uintptr_t)mapping.at / PAGE * 8 & ~4095ul), SEEK_SET);
	for (int n = 0; n < 8 && read(fd, bytes, READ_BYTES) > 0; n++)
		;
	close(fd);
	fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (write(fd, references[pick(worker, 4)], 1) < 0)
		wrong("clear_refs", mapping.file, 0);
	close(fd);
	check_mapping("proc", &mapping);
	unmap(&mapping);
}
