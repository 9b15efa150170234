/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * regs.c - threads that hold known values in all registers for a while
 *
 * Each spins in a piece of assembly that touches nothing, until the flag
 * that main sets; then it stores every register and compares.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __AVX512F__
#define N 32
#define SIZE 64
#define LOAD(n) "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n"
#define STORE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n"
#define ALL(X)                                                            \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)     \
	X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) \
	X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#else
#define N 16
#define SIZE 32
#define LOAD(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define ALL(X)                                                        \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) \
	X(12) X(13) X(14) X(15)
#endif

static volatile int flag, spinning, bad;

static void *vectors(void *arg)
{
	uint8_t in[N * SIZE], out[N * SIZE];
	uint64_t k_in = 0x123456789abcdef0 + (uintptr_t)arg, k_out = k_in;
	uint32_t mxcsr_in = 0x1f80 | 0x6000, mxcsr_out = 0;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + (uintptr_t)arg);
	memset(out, 0, sizeof(out));
	__sync_fetch_and_add(&spinning, 1);
	__asm__ volatile("ldmxcsr %[mi]\n"
			 ALL(LOAD)
#ifdef __AVX512F__
			 "kmovq %[kin], %%k3\n"
#endif
			 "1: pause\n"
			 "cmpl $0, %[flag]\n"
			 "je 1b\n"
			 ALL(STORE)
#ifdef __AVX512F__
			 "kmovq %%k3, %[kout]\n"
#endif
			 "stmxcsr %[mo]\n"
			 : [kout] "+r"(k_out), [mo] "=m"(mxcsr_out)
			 : [in] "r"(in), [out] "r"(out), [flag] "m"(flag),
			   [kin] "r"(k_in), [mi] "m"(mxcsr_in)
			 : "memory", "cc"
#ifdef __AVX512F__
			 , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			 "xmm12", "xmm13", "xmm14", "xmm15", "k3"
#endif
	);
	mxcsr_in = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr_in));
	if (memcmp(in, out, sizeof(in)) || k_in != k_out ||
	    (mxcsr_out & 0xe000) != 0x6000) {
		printf("vectors of thread %d: wrong\n", (int)(uintptr_t)arg);
		bad = 1;
	}
	return NULL;
}

static void *general(void *arg)
{
	volatile int *where = &flag;
	uint64_t out[14], *to = out;
	long double x87 = 0;

	memset(out, 0, sizeof(out));
	__sync_fetch_and_add(&spinning, 1);
	__asm__ volatile("push %%rbp\n"
			 "push %[out]\n"
			 "push %[flag]\n"
			 "fldpi\n"
			 "mov $0x1111111111111111, %%rbx\n"
			 "mov $0x2222222222222222, %%rcx\n"
			 "mov $0x3333333333333333, %%rdx\n"
			 "mov $0x4444444444444444, %%rbp\n"
			 "mov $0x5555555555555555, %%r10\n"
			 "mov $0x6666666666666666, %%r11\n"
			 "mov $0x7777777777777777, %%r12\n"
			 "mov $0x8888888888888888, %%r13\n"
			 "mov $0x9999999999999999, %%r14\n"
			 "mov $0xaaaaaaaaaaaaaaaa, %%r15\n"
			 "mov $0xbbbbbbbbbbbbbbbb, %%r8\n"
			 "mov $0xcccccccccccccccc, %%r9\n"
			 "mov $0xdddddddddddddddd, %%rsi\n"
			 "1: mov (%%rsp), %%rdi\n"
			 "mov (%%rdi), %%eax\n"
			 "test %%eax, %%eax\n"
			 "jz 1b\n"
			 "mov 8(%%rsp), %%rdi\n"
			 "mov %%rbx, 0(%%rdi)\n mov %%rcx, 8(%%rdi)\n"
			 "mov %%rdx, 16(%%rdi)\n mov %%rbp, 24(%%rdi)\n"
			 "mov %%r10, 32(%%rdi)\n mov %%r11, 40(%%rdi)\n"
			 "mov %%r12, 48(%%rdi)\n mov %%r13, 56(%%rdi)\n"
			 "mov %%r14, 64(%%rdi)\n mov %%r15, 72(%%rdi)\n"
			 "mov %%r8, 80(%%rdi)\n mov %%r9, 88(%%rdi)\n"
			 "mov %%rsi, 96(%%rdi)\n"
			 "add $16, %%rsp\n"
			 "pop %%rbp\n"
			 : "=t"(x87), [out] "+D"(to), [flag] "+S"(where)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10",
			   "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	for (int i = 0; i < 13; i++)
		if (out[i] != 0x1111111111111111ULL * (unsigned int)(i + 1) &&
		    i < 10) {
			printf("general register %d: %lx\n", i, out[i]);
			bad = 1;
		}
	if (out[10] != 0xbbbbbbbbbbbbbbbb || out[11] != 0xcccccccccccccccc ||
	    out[12] != 0xdddddddddddddddd || x87 < 3.14159265358979L ||
	    x87 > 3.1415926535898L) {
		printf("registers: wrong\n");
		bad = 1;
	}
	return NULL;
}

int main(void)
{
	pthread_t t[4];

	for (long i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, vectors, (void *)(i + 1));
	pthread_create(&t[3], NULL, general, NULL);
	while (spinning < 4)
		usleep(1000);
	usleep(20000);
	printf("ready\n");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(2000);
	flag = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf(bad ? "wrong\n" : "all right\n");
	return bad ? 1 : 5;
}
