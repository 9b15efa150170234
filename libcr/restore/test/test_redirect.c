/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_redirect.c - a copy of the vdso whose functions lead into the real
 * one, or into the kernel
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "restore/build.h"
#include "restore/redirect.h"

static struct cr_vdso own;
static size_t len;

/* A function of the vdso at elf, by its dynamic symbols. */
static void *function(uint8_t *elf, const char *name)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)elf;
	Elf64_Shdr *sh = (Elf64_Shdr *)(elf + eh->e_shoff);

	for (int i = 0; i < eh->e_shnum; i++) {
		Elf64_Sym *sym = (Elf64_Sym *)(elf + sh[i].sh_offset);
		char *str = (char *)elf + sh[sh[i].sh_link].sh_offset;

		if (sh[i].sh_type != SHT_DYNSYM)
			continue;
		for (size_t k = 0; k < sh[i].sh_size / sizeof(*sym); k++)
			if (!strcmp(str + sym[k].st_name, name))
				return elf + sym[k].st_value;
	}
	return NULL;
}

static uint8_t *copy(void)
{
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(p, (void *)own.code, len);
	return p;
}

static void call_all(uint8_t *vdso)
{
	int (*gettime)(clockid_t, struct timespec *) =
		function(vdso, "__vdso_clock_gettime");
	int (*getres)(clockid_t, struct timespec *) =
		function(vdso, "__vdso_clock_getres");
	int (*getday)(struct timeval *, void *) =
		function(vdso, "__vdso_gettimeofday");
	time_t (*gettime1)(time_t *) = function(vdso, "__vdso_time");
	long (*cpu)(unsigned int *, unsigned int *, void *) =
		function(vdso, "__vdso_getcpu");
	struct timespec t, u, res;
	struct timeval tv;
	unsigned int n = ~0u;

	assert_int_equal(mprotect(vdso, len, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(gettime(CLOCK_MONOTONIC, &t), 0);
	clock_gettime(CLOCK_MONOTONIC, &u);
	assert_true(u.tv_sec - t.tv_sec <= 2 && t.tv_sec <= u.tv_sec);
	assert_int_equal(getday(&tv, NULL), 0);
	assert_true(labs(tv.tv_sec - time(NULL)) <= 2);
	assert_true(labs(gettime1(NULL) - time(NULL)) <= 2);
	assert_int_equal(cpu(&n, NULL, NULL), 0);
	assert_true(n < 65536);
	if (getres)
		assert_int_equal(getres(CLOCK_MONOTONIC, &res), 0);
}

static void leads_into_the_new_one(void **state)
{
	uint8_t *old = copy();
	struct cr_error err = { 0 };

	assert_int_equal(
		cr_redirect(old, len, (void *)own.code, len, own.code, &err),
		0);
	assert_memory_not_equal(old, (void *)own.code, len);
	call_all(old);
	munmap(old, len);
}

static void leads_into_the_kernel(void **state)
{
	uint8_t *old = copy(), *fresh = copy();
	Elf64_Ehdr *eh = (Elf64_Ehdr *)fresh;
	Elf64_Shdr *sh = (Elf64_Shdr *)(fresh + eh->e_shoff);
	struct cr_error err = { 0 };

	/* another kernel's, which has none of our functions */
	for (int i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_type == SHT_DYNSYM)
			memset(fresh + sh[i].sh_offset, 0, sh[i].sh_size);
	/* of no use there, and one that nobody knows: refused by name */
	if (function(old, "__vdso_sgx_enter_enclave")) {
		assert_int_equal(
			cr_redirect(old, len, fresh, len, own.code, &err), 0);
		assert_int_equal(
			((int (*)(void))function(
				old, "__vdso_sgx_enter_enclave"))(), -ENOSYS);
		munmap(old, len);
		old = copy();
		memcpy(memmem(old, len, "__vdso_sgx_enter_enclave", 24),
		       "__vdso_xgx", 10);
		assert_true(cr_redirect(old, len, fresh, len, own.code, &err) <
			    0);
		assert_non_null(strstr(err.text, "xgx"));
		munmap(old, len);
		old = copy();
		cr_error_clear(&err);
	}
	assert_int_equal(cr_redirect(old, len, fresh, len, own.code, &err), 0);
	call_all(old);
	munmap(old, len);
	munmap(fresh, len);
}

static void trusts_nothing(void **state)
{
	uint8_t *good = copy();
	struct cr_error err = { 0 };

	srandom(1);
	assert_true(cr_redirect(good, 10, good, len, 0, &err) < 0);
	for (int i = 0; i < 20000; i++) {
		uint8_t *old = malloc(len);

		memcpy(old, (void *)own.code, len);
		for (int k = 0; k < 4; k++)
			old[random() % (i & 1 ? 64 : (long)len)] =
				(uint8_t)random();
		cr_redirect(old, len, (void *)own.code, len, own.code, NULL);
		free(old);
	}
	munmap(good, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_into_the_new_one),
		cmocka_unit_test(leads_into_the_kernel),
		cmocka_unit_test(trusts_nothing),
	};

	if (cr_vdso_find(&own, NULL) < 0 || !own.code)
		return 77;
	len = own.code_end - own.code;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
