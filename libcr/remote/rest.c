/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rest.c - a piece of code by which a thread makes the rest of a call
 *
 * A call that is made again with other arguments than the program gave, or
 * whose result is not yet the program's result, needs somebody who puts that
 * right when it returns, which may be in a week.  No tracer stays that long.
 * So the thread makes the call from a page of ours: the code adds what was
 * done before, puts the registers back and jumps to where the program was.
 *
 * For everybody else it is memory of the program.  It is saved and restored
 * as such; stopped once more, the thread is a thread in a system call like
 * any other, and what it has done until then is added to what was done.  The
 * kernel ends or restarts the call by its own rules, with -ERESTARTNOHAND: a
 * handler, whatever its flags, ends it with what was done so far, as it does
 * when the kernel breaks off a transfer; with no handler it goes on.
 *
 * Nobody can unmap the page that he runs in, so it stays.  When "busy" is
 * cleared the thread needs nothing of it any more but its last instruction,
 * and the next call for which there is need takes it.  A thread that leaves
 * by siglongjmp(), or that a restart leaves out, keeps it busy for ever.
 *
 * Who waits for a limited time has the end of it written there, so that the
 * next stop knows.  A receive, whose time-out belongs to the socket, is made
 * when a ppoll(2) in its place has found something.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "remote/internal.h"

/*
 * After it rcx and r11 are free, as after any call; the flags are kept, too.
 * The number is in the code, where cr_remote_resolve_restart() looks for it;
 * what it reads there must be in the page.
 */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"rest_code:\n"
	"	.ascii	\"CR: rst2\"\n"
	"	.skip	51, 0xcc\n"
	"	mov	$0, %eax\n"
	"rest_call:\n"
	"	syscall\n"
	"rest_back:\n"
	"	mov	%rax, %rcx\n"
	"	seto	%al\n"
	"	lahf\n"
	"	mov	%rax, %r11\n"
	"	test	%rcx, %rcx\n"
	"	js	1f\n"
	"	cmpq	$0, rest_code+4096+72(%rip)\n"
	"	jne	3f\n"
	"	add	rest_code+4096+8(%rip), %rcx\n"
	"	jmp	2f\n"
	"3:	jrcxz	4f\n"
	"	subq	$2, rest_code+4096+16(%rip)\n"
	"	mov	rest_code+4096+80(%rip), %rcx\n"
	"	jmp	2f\n"
	"4:	mov	$-11, %rcx\n" /* EAGAIN */
	"	jmp	2f\n"
	"1:	cmpq	$0, rest_code+4096+8(%rip)\n"
	"	je	2f\n"
	"	mov	rest_code+4096+8(%rip), %rcx\n"
	"2:	mov	%r11, %rax\n"
	"	add	$127, %al\n"
	"	sahf\n"
	"	mov	%rcx, %rax\n"
	"	mov	rest_code+4096+24(%rip), %rdi\n"
	"	mov	rest_code+4096+32(%rip), %rsi\n"
	"	mov	rest_code+4096+40(%rip), %rdx\n"
	"	mov	rest_code+4096+48(%rip), %r10\n"
	"	mov	rest_code+4096+56(%rip), %r8\n"
	"	mov	rest_code+4096+64(%rip), %r9\n"
	"	mov	rest_code+4096+16(%rip), %rcx\n"
	"	movq	$0, rest_code+4096(%rip)\n"
	"	jmp	*%rcx\n"
	"rest_end:\n"
	".popsection\n");

extern const char rest_code[], rest_call[], rest_back[], rest_end[];

#define MAGIC_LEN 8
#define CODE_PAGE 4096

/* At the second page. */
struct data {
	uint64_t busy, done, rip, rdi, rsi, rdx, r10, r8, r9;
	uint64_t poll_first, nr; /* that, and then the program's own call */
	int64_t deadline;
};

/* Where the code has the number of the call. */
#define NR_AT(at) \
	((at) + (uint64_t)(rest_call - rest_code) - sizeof(uint32_t))

_Static_assert(sizeof(struct data) <= CR_REST_EXTRA - CODE_PAGE, "overlap");

static bool is_free(pid_t pid, uint64_t at)
{
	char magic[MAGIC_LEN];
	uint64_t busy;

	return !cr_remote_read(pid, at, magic, sizeof(magic), NULL) &&
	       !memcmp(magic, rest_code, sizeof(magic)) &&
	       !cr_remote_read(pid, at + CODE_PAGE, &busy, sizeof(busy),
			       NULL) &&
	       !busy;
}

uint64_t cr_rest_inside(const struct cr_task *t)
{
	uint64_t at = t->regs.rip - (uint64_t)(rest_back - rest_code);
	char magic[MAGIC_LEN];

	if (at % CODE_PAGE ||
	    cr_remote_read(t->tid, at, magic, sizeof(magic), NULL) ||
	    memcmp(magic, rest_code, sizeof(magic)) != 0)
		return 0;
	return at;
}

/* All pieces that earlier calls have left. */
static void look(struct cr_task *t, struct cr_places *places)
{
	char path[64], line[512], perm[8], name[8];
	uint64_t start, end, ino, *more;
	FILE *f;

	places->looked = true;
	snprintf(path, sizeof(path), "/proc/%d/maps", t->tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %" SCNu64
			   " %7s",
			   &start, &end, perm, &ino, name) != 4 ||
		    strcmp(perm, "r-xp") != 0 || ino ||
		    !is_free(t->tid, start))
			continue;
		more = realloc(places->at, (places->n + 1) * sizeof(*more));
		if (!more)
			break;
		places->at = more;
		places->at[places->n++] = start;
	}
	if (f)
		fclose(f);
}

void cr_remote_forget_places(struct cr_places *places)
{
	free(places->at);
	memset(places, 0, sizeof(*places));
}

static int no_memory(const struct cr_task *t, int64_t r, struct cr_error *err)
{
	return r >= 0 || r < -4095
		       ? 0
		       : cr_error_set(err, (int)r,
				      "thread %d: no memory for the rest of "
				      "its system call: %s",
				      t->tid, strerror((int)-r));
}

static int call(struct cr_task *t, int64_t *r, long nr, uint64_t a, uint64_t b,
		uint64_t c, uint64_t d, struct cr_error *err)
{
	int ret = cr_remote_syscall(t, r, nr, a, b, c, d, -1ULL, 0, err);

	return ret ? ret : no_memory(t, *r, err);
}

/* Their second parts can be written to; never what is executable. */
static int open_places(struct cr_task *t, uint64_t at, size_t n,
		       struct cr_error *err)
{
	struct cr_remote_call *c = calloc(n, sizeof(*c));
	bool table;
	size_t i;
	int ret;

	if (!c)
		return cr_error_set(err, -ENOMEM, "out of memory");
	/* many at a time if there is memory for a table */
	table = n > 4 && t->guard && !t->scratch &&
		!cr_remote_map_scratch(t, (n + 1) * sizeof(*c), NULL);
	for (i = 0; i < n; i++)
		c[i] = (struct cr_remote_call){
			SYS_mprotect,
			{ at + i * CR_REST_SIZE + CODE_PAGE,
			  CR_REST_SIZE - CODE_PAGE, PROT_READ | PROT_WRITE },
			0
		};
	if (table) {
		t->table = t->scratch;
		t->table_size = t->scratch_size;
	}
	ret = cr_remote_batch(t, c, n, err);
	for (i = 0; i < n && !ret; i++)
		ret = no_memory(t, c[i].ret, err);
	if (table) {
		t->table = t->table_size = 0;
		cr_remote_unmap_scratch(t, NULL);
	}
	free(c);
	return ret;
}

int cr_remote_make_places(struct cr_task *t, struct cr_places *places, size_t n,
			  struct cr_error *err)
{
	uint64_t at, *more;
	int64_t base = 0, r;
	size_t i, len;
	int ret;

	if (!places->looked)
		look(t, places);
	if (places->n >= n)
		return 0;
	more = realloc(places->at, n * sizeof(*more));
	if (!more)
		return cr_error_set(err, -ENOMEM, "out of memory");
	places->at = more;
	n -= places->n;
	len = n * CR_REST_SIZE;
	ret = call(t, &base, SYS_mmap, 0, len, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, err);
	if (ret)
		return ret;
	at = (uint64_t)base;
	ret = open_places(t, at, n, err);
	for (i = 0; i < n && !ret; i++)
		ret = cr_remote_write(t->tid, at + i * CR_REST_SIZE, rest_code,
				      (size_t)(rest_end - rest_code), err);
	if (ret) {
		call(t, &r, SYS_munmap, at, len, 0, 0, NULL);
		return ret;
	}
	/* the last is taken first */
	for (i = n; i-- > 0;)
		places->at[places->n++] = at + i * CR_REST_SIZE;
	return 0;
}

int cr_rest_place(struct cr_task *t, struct cr_places *places, uint64_t *at,
		  struct cr_error *err)
{
	int ret;

	*at = cr_rest_inside(t);
	if (*at)
		return 0;
	ret = cr_remote_make_places(t, places, 1, err);
	if (!ret)
		*at = places->at[--places->n];
	return ret;
}

static bool read_data(const struct cr_task *t, uint64_t at, struct data *d)
{
	return at &&
	       !cr_remote_read(t->tid, at + CODE_PAGE, d, sizeof(*d), NULL);
}

int64_t cr_rest_deadline(const struct cr_task *t, long *nr)
{
	const uint64_t at = cr_rest_inside(t);
	struct data d;
	uint32_t number;

	if (!read_data(t, at, &d) || !d.deadline ||
	    cr_remote_read(t->tid, NR_AT(at), &number, sizeof(number), NULL))
		return 0;
	*nr = number;
	return d.deadline;
}

int cr_rest_enter(struct cr_task *t, uint64_t at, const struct cr_rest *rest,
		  struct cr_error *err)
{
	struct user_regs_struct *r = &t->regs;
	struct data d = {
		.busy = 1,
		.done = rest->done,
		.rip = r->rip,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rdx = r->rdx,
		.r10 = r->r10,
		.r8 = r->r8,
		.r9 = r->r9,
		.poll_first = rest->poll_first,
		.nr = r->orig_rax,
		.deadline = rest->deadline,
	};
	const uint32_t nr = (uint32_t)rest->nr;
	int ret = 0;

	if (at == cr_rest_inside(t)) { /* the rest of a rest */
		ret = cr_remote_read(t->tid, at + CODE_PAGE, &d, sizeof(d),
				     err);
		d.done += rest->done;
		d.deadline = rest->deadline;
	}
	if (!ret)
		ret = cr_remote_write(t->tid, at + CODE_PAGE, &d, sizeof(d),
				      err);
	if (!ret)
		ret = cr_remote_write(t->tid, NR_AT(at), &nr, sizeof(nr), err);
	if (ret)
		return ret;
	r->rdi = rest->arg[0];
	r->rsi = rest->arg[1];
	r->rdx = rest->arg[2];
	r->r10 = rest->arg[3];
	r->r8 = rest->arg[4];
	r->r9 = rest->arg[5];
	r->rip = at + (uint64_t)(rest_back - rest_code);
	if ((int64_t)r->rax != -ERESTART_RESTARTBLOCK)
		r->rax = (uint64_t)-ERESTARTNOHAND;
	r->orig_rax = nr;
	return 0;
}

int cr_rest_settle(struct cr_task *t, struct cr_error *err)
{
	/* at once: the tracer may be killed before it lets the task go */
	int ret = cr_remote_settle(t);

	return ret ? cr_error_set(err, ret, "thread %d: going back: %s",
				  t->tid, strerror(-ret))
		   : 0;
}
