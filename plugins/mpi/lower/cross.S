/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cross.S - changes of stack and register sets that C cannot say */

	.text

/*
 * cr_hook_enter - from a thunk: system call number in eax, arguments in the
 * registers of a system call, any FS base.  All but rax, rcx and r11 must
 * survive, vector registers included.
 */
	.globl cr_hook_enter
	.hidden cr_hook_enter
	.type cr_hook_enter, @function
cr_hook_enter:
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	sub $64, %rsp
	mov %rdi, 0(%rsp)
	mov %rsi, 8(%rsp)
	mov %rdx, 16(%rsp)
	mov %r10, 24(%rsp)
	mov %r8, 32(%rsp)
	mov %r9, 40(%rsp)
	mov %rax, 48(%rsp)
	mov %rsp, %rdi
	call cr_hook_call
	mov 0(%rsp), %rdi
	mov 8(%rsp), %rsi
	mov 16(%rsp), %rdx
	mov 24(%rsp), %r10
	mov 32(%rsp), %r8
	mov 40(%rsp), %r9
	mov %rbp, %rsp
	pop %rbp
	ret
	.size cr_hook_enter, .-cr_hook_enter

/*
 * void cr_boot_go(stack, entry, save): keeps our registers in save[8] and
 * starts a program at entry on its new stack.  Comes back by
 * cr_boot_return(save).
 */
	.globl cr_boot_go
	.hidden cr_boot_go
	.type cr_boot_go, @function
cr_boot_go:
	mov %rbx, 0(%rdx)
	mov %rbp, 8(%rdx)
	mov %r12, 16(%rdx)
	mov %r13, 24(%rdx)
	mov %r14, 32(%rdx)
	mov %r15, 40(%rdx)
	mov %rsp, 48(%rdx)
	stmxcsr 56(%rdx)
	fnstcw 60(%rdx)
	mov %rdi, %rsp
	mov %rsi, %rax
	xor %edx, %edx
	xor %ebp, %ebp
	jmp *%rax
	.size cr_boot_go, .-cr_boot_go

	.globl cr_boot_return
	.hidden cr_boot_return
	.type cr_boot_return, @function
cr_boot_return:
	mov 0(%rdi), %rbx
	mov 8(%rdi), %rbp
	mov 16(%rdi), %r12
	mov 24(%rdi), %r13
	mov 32(%rdi), %r14
	mov 40(%rdi), %r15
	mov 48(%rdi), %rsp
	ldmxcsr 56(%rdi)
	fldcw 60(%rdi)
	ret
	.size cr_boot_return, .-cr_boot_return

/*
 * int cr_lower_save(struct cr_rollback *): as setjmp.  Layout of the slot:
 * active, tid, then rbx rbp r12 r13 r14 r15 rsp rip fs_base.  rsp and rip
 * are those after the return; fs_base is the first word of the thread
 * control block, here the upper half's.
 */
	.globl cr_lower_save
	.hidden cr_lower_save
	.type cr_lower_save, @function
cr_lower_save:
	mov %rbx, 8(%rdi)
	mov %rbp, 16(%rdi)
	mov %r12, 24(%rdi)
	mov %r13, 32(%rdi)
	mov %r14, 40(%rdi)
	mov %r15, 48(%rdi)
	lea 8(%rsp), %rax
	mov %rax, 56(%rdi)
	mov (%rsp), %rax
	mov %rax, 64(%rdi)
	mov %fs:0, %rax
	mov %rax, 72(%rdi)
	xor %eax, %eax
	ret
	.size cr_lower_save, .-cr_lower_save

	.section .note.GNU-stack, "", @progbits
