/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_memory.c - images whose memory there is no room for are refused */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "restore/build.h"

static struct cr_area area = { .start = 0x10000, .end = 0x20000,
			       .kind = CR_AREA_ANON };
static struct cr_mm mm = { .areas = &area, .n_areas = 1 };
static struct cr_process process = { .kind = CR_PROC_NORMAL, .pid = 17 };
static struct cr_image image = { .mms = &mm,
				 .n_mms = 1,
				 .procs = &process,
				 .n_procs = 1 };
static struct cr_restore_context ctx = { .img = &image };
static struct cr_error err;

static void test_fits(void **state)
{
	cr_error_clear(&err);
	assert_int_equal(cr_verify_memory(&ctx, &err), 0);
}

/* 57 bits, which few machines have; and then the kernel's half, which none. */
static void test_beyond(void **state)
{
	struct cr_area low = area;
	char *p;

	area.start = 0x7fffffffe000;
	area.end = 0x7ffffffff000;
	assert_int_equal(cr_verify_memory(&ctx, &err), 0);
	area.start = 1ULL << 52;
	area.end = area.start + CR_PAGE_SIZE;
	cr_error_clear(&err);
	p = mmap((void *)(uintptr_t)area.start, CR_PAGE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((uintptr_t)p == area.start)
		assert_int_equal(cr_verify_memory(&ctx, &err), 0);
	munmap(p, CR_PAGE_SIZE);
	area.end = 1ULL << 56;
	assert_int_equal(cr_verify_memory(&ctx, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "process 17 has memory at "
					 "0xfffffffffff000, beyond the 47 "
					 "bits"));
	area = low;
}

static void test_too_many(void **state)
{
	cr_error_clear(&err);
	mm.n_areas = 1 << 30;
	image.n_mms = 1;
	assert_int_equal(cr_verify_memory(&ctx, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "process 17 has 1073741824 memory "
					 "areas, more than a process may have "
					 "here"));
	mm.n_areas = 1;
}

static void test_keys(void **state)
{
	struct cr_setting key = { .kind = CR_SETTING_PKEYS, .value = 1 << 3 };
	long own = syscall(SYS_pkey_alloc, 0, 0);

	image.settings = &key;
	image.n_settings = 1;
	cr_error_clear(&err);
	if (own >= 0) {
		syscall(SYS_pkey_free, own);
		assert_int_equal(cr_verify_memory(&ctx, &err), 0);
	} else {
		assert_int_equal(cr_verify_memory(&ctx, &err), -ENOTSUP);
		assert_non_null(strstr(err.text,
				       "process 17 uses memory protection "
				       "keys, which this node has not"));
	}
	image.n_settings = 0;
}

/* A key that was freed is known only by the memory that has it. */
static void test_freed_keys(void **state)
{
	assert_int_equal(cr_keys_used(&mm), 0);
	area.vm_flags = 5u << CR_VM_PKEY_SHIFT | CR_VM_LOCKED;
	assert_int_equal(cr_keys_used(&mm), 1 << 5);
	area.vm_flags = 0;
}

/* What may not be raised is told, with what is needed. */
static void test_limit(void **state)
{
	struct rlimit old, low;
	uint64_t end = area.end;

	area.end = area.start + (1ULL << 40);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	low = (struct rlimit){ old.rlim_cur, 1ULL << 40 };
	if (old.rlim_cur > low.rlim_max)
		low.rlim_cur = low.rlim_max;
	cr_error_clear(&err);
	if (cr_may_raise_limits()) {
		assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
		assert_int_equal(cr_verify_memory(&ctx, &err), 0);
		assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	assert_false(cr_may_raise_limits());
	assert_int_equal(cr_verify_memory(&ctx, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	assert_int_equal(cr_verify_memory(&ctx, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "process 17 needs 10737"));
	assert_non_null(strstr(err.text, "the limit here is 1073741824 KiB"));
	area.end = end;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_freed_keys),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
