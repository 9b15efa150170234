/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trampoline.S - where the kernel begins the program's signal handlers
 *
 * A signal may come on top of a call that a checkpoint rolls back.  libcr is
 * told of it by a record (struct cr_delivery) in the list of the thread's
 * slot.  The code between cr_deliver_code and cr_deliver_code_end is that in
 * which a thread has a signal frame and no record of it; libcr knows it by
 * its rip then.  For each instruction there holds:
 *
 * - rdx is the address of the frame's ucontext;
 * - rsi is that of its siginfo on the way in, 0 on the way out;
 * - all signals are blocked, so that this frame is the newest.
 *
 * Outside of it the record is in the list, or the slot is not active.  The
 * store into the list is the last instruction in the range on the way in,
 * and the last one before the range on the way out: to a stopped thread an
 * instruction has happened, or it has not.
 *
 * All registers are free, the frame has the program's.
 */
#include "mpi/lower/deliver.h"

	.text
	.globl cr_deliver, cr_deliver_code, cr_deliver_code_end
	.hidden cr_deliver, cr_deliver_code, cr_deliver_code_end
	.type cr_deliver, @function
	.cfi_startproc
	.cfi_def_cfa_offset 32
/* The handler is done, all signals are blocked again; rbx: see below. */
leave:
	mov 16(%rsp), %rdx
	mov (%rsp), %rax
	xor %esi, %esi
	mov %rax, (%rbx)
cr_deliver_code:
	add $32, %rsp
	.cfi_def_cfa_offset 0
	mov $15, %eax /* rt_sigreturn */
	syscall
	hlt

	.cfi_def_cfa_offset 8
cr_deliver: /* edi: signal, rsi: siginfo_t *, rdx: ucontext_t * */
	mov %fs:0, %rax
	mov %rax, %rcx
	movabs $CR_DELIVER_ARENA, %r8
	sub %r8, %rcx
	shr $CR_DELIVER_ARENA_SHIFT, %rcx
	jnz 1f
	/* on a control block of the lower half */
	add cr_lower + CR_DELIVER_UPPER_OFFSET(%rip), %rax
	mov CR_DELIVER_TLS_UPPER(%rax), %rax
	jmp 2f
1:	add cr_lower_self@gottpoff(%rip), %rax
2:	test %rax, %rax
	jz plain /* never: the lower half's own threads block signals */
	mov CR_DELIVER_SLOT(%rax), %rcx
	test %rcx, %rcx
	jz plain
	cmpl $0, (%rcx)
	je plain
	mov CR_DELIVER_LIST(%rax), %rcx
	push %rdx
	.cfi_adjust_cfa_offset 8
	push %rsi
	.cfi_adjust_cfa_offset 8
	push (%rcx)
	.cfi_adjust_cfa_offset 8
	mov %rsp, (%rcx)
cr_deliver_code_end:
	mov %rcx, %rbx
	mov %edi, %esi
	mov %rsp, %rdi
	mov %rax, %rdx
	call cr_deliver_on_top
	jmp leave
	.cfi_adjust_cfa_offset -24

/* Not on top of such a call. */
plain:
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call cr_deliver_plain
	add $16, %rsp
	.cfi_adjust_cfa_offset -16
	mov $15, %eax
	syscall
	hlt
	.cfi_endproc
	.size cr_deliver, .-cr_deliver

	.section .note.GNU-stack, "", @progbits
