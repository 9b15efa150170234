/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.c - what a reader refuses, it refuses by name and place */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"
#include "image/reader.h"
#include "libcr.h"
#include "sample.h"

static void assert_refused(int fd, int code, const char *text)
{
	struct cr_error err = { 0 };
	struct cr_reader *r;

	assert_int_equal(cr_reader_open_fd(&r, fd, &err), code);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

static void assert_accepted(int fd)
{
	struct cr_error err = { 0 };
	struct cr_reader *r;

	if (cr_reader_open_fd(&r, fd, &err) || cr_reader_verify(r, &err))
		fail_msg("%s", err.text);
	cr_reader_destroy(r);
}

static struct forge_section *add_section(struct forge *f, const char *name,
					 uint32_t flags)
{
	struct forge_section *s = &f->sections[f->n_sections++];

	memset(s, 0, sizeof(*s));
	memcpy(s->name, name, strlen(name));
	s->flags = flags;
	s->payload = calloc(1, 10);
	s->len = 10;
	return s;
}

static void other_files(void **state)
{
	int fd = memfd_create("other", 0), ends[2];
	struct cr_error err = { 0 };
	struct cr_reader *r;

	assert_refused(fd, -EINVAL, "not a context file");
	assert_int_equal(pwrite(fd, "hello, world", 12, 0), 12);
	assert_refused(fd, -EINVAL, "not a context file");
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_refused(fd, -EINVAL, "not a context file");
	close(fd);
	assert_refused(fd, -EBADF, "descriptor");
	assert_int_equal(pipe(ends), 0);
	assert_refused(ends[1], -EBADF, "not open for reading");
	assert_int_equal(write(ends[1], "hello, world", 12), 12);
	close(ends[1]);
	assert_refused(ends[0], -EINVAL, "not a context file");
	close(ends[0]);
	assert_int_equal(cr_reader_open(&r, "/", &err), -EISDIR);
	assert_non_null(strstr(err.text, "/: it is a directory"));
	cr_error_clear(&err);
	/* Without end, so it must be seen early. */
	assert_int_equal(cr_reader_open(&r, "/dev/zero", &err), -EINVAL);
	cr_error_clear(&err);
	assert_int_equal(cr_reader_open(&r, "/nonexistent", &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent: cannot open: No such "
				      "file or directory");
}

static void headers(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int code;
		const char *text;
	} cases[] = {
		{ 8, 2, -CR_EVERSION, "format version 2" },
		{ 12, 183, -CR_EBADARCH, "another architecture" },
		{ 17, 0x40, -EINVAL, "pages of 16384 bytes" },
		{ 20, 1, -EINVAL, "header flags 0x1 are unknown" },
		{ 63, 1, -EINVAL, "reserved" },
	};
	int fd = forge_sample(CR_CODEC_NONE);
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t old = f.pages[cases[i].at];

		f.pages[cases[i].at] = cases[i].value;
		forge_store(&f, fd, &len);
		assert_refused(fd, cases[i].code, cases[i].text);
		f.pages[cases[i].at] = old;
	}
	forge_store(&f, fd, &len);
	assert_accepted(fd);
	forge_free(&f);
	close(fd);
}

static void unknown_sections(void **state)
{
	int fd = forge_sample(CR_CODEC_ZSTD);
	struct forge_section *s;
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	s = add_section(&f, "FUTURE", 0);
	forge_store(&f, fd, &len);
	assert_accepted(fd);
	s->flags = 1;
	forge_store(&f, fd, &len);
	assert_refused(fd, -ENOTSUP, "section FUTURE is required");
	s->flags = 2;
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "section FUTURE");
	s->flags = 0;
	memcpy(s->name, "A\033[2J", 6);
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "no proper name");
	memcpy(s->name, "RUNS\0\0\0", 8);
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "section RUNS");
	forge_free(&f);
	close(fd);
}

/* Their order does not matter, but none may be missing. */
static void missing_sections(void **state)
{
	int fd = forge_sample(CR_CODEC_NONE);
	uint32_t n;
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	n = f.n_sections;
	for (uint32_t i = 0; i < n; i++) {
		struct forge_section first = f.sections[0];
		char text[32];

		memmove(f.sections, f.sections + 1, (n - 1) * sizeof(first));
		f.sections[n - 1] = first;
		forge_store(&f, fd, &len);
		assert_accepted(fd);
		f.n_sections--;
		forge_store(&f, fd, &len);
		if (!strncmp(first.name, "SETTINGS", 8)) {
			assert_accepted(fd);
			f.n_sections++;
			continue;
		}
		snprintf(text, sizeof(text), "section %.8s is missing",
			 first.name);
		assert_refused(fd, -EINVAL, text);
		f.n_sections++;
	}
	forge_free(&f);
	close(fd);
}

static void places(void **state)
{
	int fd = forge_sample(CR_CODEC_NONE);
	struct forge_section *s;
	uint64_t far = UINT64_C(1) << 40, first = 4096;
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	s = forge_find(&f, "SHM");
	s->len -= 1;
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "section SHM, byte 4");
	s->len += 1;
	s->payload[0] = 200;
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "200 elements announced");
	s->payload[0] = 0;
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "8 bytes too many");
	s->payload[0] = 1;
	s = forge_find(&f, "RUNS");
	memcpy(s->payload + 4 + 24, &far, sizeof(far));
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "outside the page data");
	for (size_t i = 0; i < 2; i++)
		memcpy(s->payload + 4 + 56 * i + 24, &first, sizeof(first));
	forge_store(&f, fd, &len);
	assert_refused(fd, -EINVAL, "share the bytes at 4096");
	forge_free(&f);
	close(fd);
}

/* Numbers of the frame that cannot be; they come before any digest. */
static void frames(void **state)
{
	static const struct {
		long at; /* from the beginning of the trailer */
		uint8_t value;
		const char *text;
	} cases[] = {
		{ 0, 0, "no trailer" },
		{ 8, 1, "the trailer says" },
		{ 23, 1, "outside the file" },
		{ 24, 7, "belong to no section" },
		{ 24, 9, "reaches into the trailer" },
		{ 27, 1, "sections, at most 1024" },
		{ 30, 1, "reserved bytes" },
		{ 50, 1, "the trailer's digest" },
	};
	int fd = forge_sample(CR_CODEC_NONE);
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forge_store(&f, fd, &len);
		assert_int_equal(pwrite(fd, &cases[i].value, 1,
					(off_t)len - 64 + cases[i].at),
				 1);
		assert_refused(fd, -EINVAL, cases[i].text);
	}
	forge_free(&f);
	close(fd);
}

/* Rules of the model: change one thing of the sample, see what is said. */
#define RULE(name, change, says)                                \
	static const char *name(struct cr_image *img)           \
	{                                                       \
		change;                                         \
		return says;                                    \
	}

#define P img->procs
#define T img->procs[0].threads
#define A img->mms[0].areas

RULE(scope, img->scope = 4, "scope 4")
RULE(no_process, img->n_procs = 0, "no process")
RULE(mapped_path, img->mapped[1].path[0] = 'x', "not absolute")
RULE(no_path, free(img->files[1].id.path); img->files[1].id.path = NULL,
     "open file 1 has no path")
RULE(shm_size, img->shms[0].size = 0, "shared memory 0")
RULE(file_kind, img->files[1].kind = 99, "kind 99")
RULE(file_stdio, img->files[0].stdio_fd = 3, "standard descriptor 3")
RULE(exe, img->mms[1].exe = 2, "executable 2")
RULE(area_kind, A[0].kind = 0, "kind is unknown")
RULE(area_align, A[0].start += 1, "not page aligned")
RULE(area_order, A[1].start = A[0].start, "before the end of the one before")
RULE(area_empty, A[0].end = A[0].start, "ends before")
RULE(area_high, A[6].end = UINT64_C(1) << 60, "beyond the user's addresses")
RULE(area_prot, A[0].prot = 8, "protection")
RULE(area_flags, A[0].vm_flags = UINT64_C(1) << 40, "unknown bits")
RULE(area_no_file, A[0].file = CR_NONE, "names no file")
RULE(area_file, A[0].file = 2, "not in the list")
RULE(area_no_shm, A[3].shm = CR_NONE, "names no shared memory")
RULE(area_shm, A[3].shm = 1, "not in the list")
RULE(area_shm_size, A[3].offset = 4096, "larger than its shared memory")
RULE(area_offset, A[0].offset = INT64_MAX - 4095, "out of range")
RULE(control, img->mms[0].control = 4096, "control block")
RULE(pid_zero, P[0].pid = 0, "ids is negative")
RULE(own_parent, P[0].ppid = 100, "its own parent")
RULE(parent_later, P[0].ppid = 101, "comes before its parent 101")
RULE(pid_twice, P[3].pid = 102, "two tasks have the id 102")
RULE(tid_twice, P[1].threads[1].tid = 100, "two tasks have the id 100")
RULE(leader, P[1].threads[0].tid = 105, "not the leader")
RULE(no_thread, P[3].kind = CR_PROC_NORMAL, "address space")
RULE(fds_chain, P[1].fds_of = 3, "whose descriptors")
RULE(fds_shared, P[1].fds_of = 0, "has some of its own")
RULE(fs_of, P[0].fs_of = 1, "whose directories")
RULE(sighand_mm, P[1].sighand_of = 0, "but not the memory")
RULE(fd_order, P[0].fds[1].fd = 0, "not ascending")
RULE(fd_file, P[0].fds[1].file = 3, "not in the list")
RULE(no_argv, free(P[2].argv[0]); free(P[2].argv[1]); P[2].argv[0] = NULL,
     "no command")
RULE(no_cwd, free(P[0].cwd); P[0].cwd = NULL, "working directory")
RULE(regs, P[0].threads[0].regs.len = 215, "registers")
RULE(xstate, P[0].threads[0].xstate.len = 100, "extended registers")
RULE(comm, memset(P[0].threads[0].comm, 'x', 16), "name does not end")
RULE(tid_zero, P[1].threads[1].tid = 0, "id is not positive")
RULE(affinity, T[0].affinity.len = 8193, "affinity")
RULE(death, T[0].pdeath_signal = 65, "parent death signal")
RULE(zombie_comm, struct cr_thread *t = cr_process_add_thread(&P[3]);
     t->tid = 104; memset(t->comm, 'x', sizeof(t->comm)),
     "process 3 (pid 104), thread 0")
RULE(auxv, img->mms[0].fields.auxv.len = 15, "auxiliary vector of 15 bytes")
RULE(dumpable, img->mms[0].dumpable = 3, "dumpable is 3")
RULE(page_size, img->page_size = 8192, "page size 8192")
RULE(build_id, img->mapped[0].build_id.len = 65, "build id of 65 bytes")
RULE(nanoseconds, img->files[0].id.mtime_nsec = 1000000000, "nanoseconds")
RULE(owner_type, img->files[0].owner_type = 3, "owner type 3")
RULE(owner_sig, img->files[0].owner_sig = -1, "signal -1")
RULE(umask_bits, P[0].umask = 01000, "umask")
RULE(stop_signal, P[0].stop_signal = 65, "stop or exit signal")
RULE(groups, P[0].n_groups = 65537, "too many groups")
RULE(timer, P[0].timers[0].signo = 99, "timer's signal")
RULE(proc_kind, P[0].kind = 4, "kind is unknown")
RULE(no_key, img->settings[1].value = 1, "no such protection keys")
RULE(pending, P[0].pending[0].raw[0] = 65, "pending signal")

static const char *(*const rules[])(struct cr_image *img) = {
	scope,	     no_process,    mapped_path,  shm_size,    file_kind,
	no_path,
	file_stdio,  exe,	    area_kind,	  area_align,  area_order,
	area_empty,  area_high,	    area_prot,	  area_flags,  area_no_file,
	area_file,   area_no_shm,   area_shm,	  area_shm_size, area_offset,
	control,     pid_zero,	    own_parent,	  parent_later, pid_twice,
	tid_twice,   leader,	    no_thread,	  fds_chain,   fds_shared,
	fs_of,	     sighand_mm,    fd_order,	  fd_file,     no_argv,
	no_cwd,	     regs,	    xstate,	  comm,	       pending,    no_key,
	tid_zero,    affinity,	    death,	  zombie_comm, auxv,
	dumpable,    page_size,	    build_id,	  nanoseconds, owner_type,
	owner_sig,   umask_bits,    stop_signal,  groups,      timer,
	proc_kind,
};

static void model_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct cr_image *img = sample_image();
		size_t n_procs = img->n_procs;
		struct cr_error err = { 0 };
		const char *says;

		assert_int_equal(cr_image_check(img, &err), 0);
		says = rules[i](img);
		assert_int_equal(cr_image_check(img, &err), -EINVAL);
		if (!strstr(err.text, says))
			fail_msg("\"%s\" is not in \"%s\"", says, err.text);
		img->n_procs = n_procs;
		cr_image_destroy(img);
	}
}

static struct cr_run *add_run(struct cr_image *img, uint32_t space,
			      uint64_t addr, uint64_t pages)
{
	struct cr_run *run = cr_image_add_run(img);

	run->space = space;
	run->addr = addr;
	run->len = run->stored = pages * 4096;
	run->offset = 4096;
	return run;
}

static void assert_run(uint32_t space, uint64_t addr, uint64_t pages,
		       uint32_t codec, const char *says)
{
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct cr_run *run;

	add_run(img, 0, SAMPLE_HEAP, 1);
	run = add_run(img, space, addr, pages);
	if (codec) {
		run->codec = codec;
		run->stored = 100;
	}
	if (!says) {
		if (cr_image_check(img, &err))
			fail_msg("%s", err.text);
	} else {
		assert_int_equal(cr_image_check(img, &err), -EINVAL);
		if (!strstr(err.text, says))
			fail_msg("\"%s\" is not in \"%s\"", says, err.text);
	}
	cr_image_destroy(img);
}

static void run_rules(void **state)
{
	const uint64_t heap = SAMPLE_HEAP, end = heap + 4096 * 600;
	const char *outside = "outside";

	assert_run(0, heap + 4096, 599, 0, NULL);
	assert_run(0, heap, 1, 0, "out of order");
	assert_run(0, heap + 4096, 600, 0, outside);
	assert_run(0, heap - 4096, 1, 0, "out of order");
	assert_run(0, end, 1, 0, outside);
	assert_run(0, heap + 100, 1, 0, "not page aligned");
	assert_run(0, heap + 4096, 0, 0, "empty");
	assert_run(0, 0x7ff000000000, 1, 0, outside); /* shared */
	assert_run(0, 0x7ff000200000, 1, 0, outside); /* vvar */
	assert_run(0, 0x7ff000204000, 2, 0, NULL);    /* vdso */
	assert_run(1, heap - 4096, 3, 0, NULL); /* two areas that touch */
	assert_run(1, heap - 3 * 4096, 1, 0, outside); /* shared file */
	assert_run(2, 0, 5, 0, NULL);
	assert_run(2, 4096, 5, 0, outside);
	assert_run(2, UINT64_MAX - 4095, 1, 0, "beyond");
	assert_run(3, 0, 1, 0, "no such address space");
	assert_run(0, heap + 4096, 256, CR_CODEC_LZ4, NULL);
	assert_run(0, heap + 4096, 257, CR_CODEC_LZ4, "too long");
	assert_run(0, heap + 4096, 2, 3, "codec is unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_files),
		cmocka_unit_test(headers),
		cmocka_unit_test(unknown_sections),
		cmocka_unit_test(missing_sections),
		cmocka_unit_test(places),
		cmocka_unit_test(frames),
		cmocka_unit_test(model_rules),
		cmocka_unit_test(run_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
