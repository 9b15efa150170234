/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stack.c - the first stack of the lower half, as execve() would make it */
#include "mpi/lower/boot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "mpi/lower/hook.h"

#define STACK_SIZE (8UL << 20)
#define AUXV_MAX 64
#define LIBRARY_PATH "LD_LIBRARY_PATH="
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/*
 * Not for the lower half: what is preloaded or audited belongs to the
 * program, tunables may move memory out of the arena (huge pages, brk).
 */
static const char *const left_out[] = {
	"LD_PRELOAD=",	    "LD_AUDIT=",      "LD_PROFILE=",
	"LD_DEBUG=",	    "LD_SHOW_AUXV=",  "LD_TRACE_LOADED_OBJECTS=",
	"GLIBC_TUNABLES=",  "MALLOC_TOP_PAD_=", "MALLOC_TRACE=",
	CR_LOWER_LINK_ENV "=",
};

/*
 * Caches of memory registered with a network card are kept right by hooks
 * on munmap(), which see the lower half's calls only: a buffer that the
 * program gave back and got anew would be read from its old pages.
 */
static const char *const put_in[] = {
	"OMPI_MCA_mpi_leave_pinned=0",
	"OMPI_MCA_memory=^patcher",
	"UCX_MEM_EVENTS=n",
};

/*
 * A program without a launcher would start one of its own (orted), which no
 * checkpoint can leave out.  Price: it cannot spawn processes.
 */
static const char singleton[] = "OMPI_MCA_ess_singleton_isolated=1";

static bool begins_with(const char *s, const char *with, size_t len)
{
	return strncmp(s, with, len) == 0;
}

static bool is_wanted(const char *entry)
{
	size_t i;

	for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (begins_with(entry, left_out[i], strlen(left_out[i])))
			return false;
	for (i = 0; i < sizeof(put_in) / sizeof(put_in[0]); i++)
		if (begins_with(entry, put_in[i],
				strcspn(put_in[i], "=") + 1))
			return false;
	return true;
}

/* ---- the auxiliary vector ---- */

/* Not getauxval(): after a restart that tells of the machine before. */
unsigned long cr_stack_auxv(unsigned long type)
{
	ElfW(auxv_t) v[AUXV_MAX];
	unsigned long value = 0;
	int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, v, sizeof(v));
	size_t i;

	if (fd >= 0)
		close(fd);
	for (i = 0; n > 0 && i < (size_t)n / sizeof(v[0]); i++)
		if (v[i].a_type == type)
			value = v[i].a_un.a_val;
	return value;
}

/*
 * Where the kernel's vdso is: a restored process has it at an address that
 * its auxiliary vector need not know.  0: none.
 */
static unsigned long find_vdso(void)
{
	unsigned long start = 0, addr;
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]") &&
		    sscanf(line, "%lx-", &addr) == 1 &&
		    !memcmp((void *)addr, ELFMAG, SELFMAG))
			start = addr;
	if (f)
		fclose(f);
	return start;
}

static unsigned long *put_auxv(unsigned long *p, const struct cr_elf *ld,
			       const void *random, const char *platform,
			       const char *execfn)
{
	const ElfW(auxv_t) v[] = {
		{ AT_SYSINFO_EHDR, { find_vdso() } },
		{ AT_MINSIGSTKSZ, { cr_stack_auxv(AT_MINSIGSTKSZ) } },
		{ AT_HWCAP, { cr_stack_auxv(AT_HWCAP) } },
		{ AT_HWCAP2, { cr_stack_auxv(AT_HWCAP2) } },
		{ AT_PAGESZ, { 4096 } },
		{ AT_CLKTCK, { (unsigned long)sysconf(_SC_CLK_TCK) } },
		/* ld.so is the program itself and gets lh_main as argument */
		{ AT_PHDR, { ld->phdr } },
		{ AT_PHENT, { sizeof(ElfW(Phdr)) } },
		{ AT_PHNUM, { ld->phnum } },
		{ AT_BASE, { 0 } },
		{ AT_FLAGS, { 0 } },
		{ AT_ENTRY, { ld->entry } },
		{ AT_UID, { getuid() } },
		{ AT_EUID, { geteuid() } },
		{ AT_GID, { getgid() } },
		{ AT_EGID, { getegid() } },
		{ AT_SECURE, { 0 } },
		{ AT_RANDOM, { (unsigned long)random } },
		{ AT_PLATFORM, { (unsigned long)platform } },
		{ AT_EXECFN, { (unsigned long)execfn } },
		{ AT_NULL, { 0 } },
	};
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (v[i].a_type == AT_SYSINFO_EHDR && !v[i].a_un.a_val)
			continue;
		*p++ = v[i].a_type;
		*p++ = v[i].a_un.a_val;
	}
	return p;
}

/* ---- strings and vectors ---- */

struct stack {
	char *base, *top; /* strings go down from top */
};

/* The address of a copy; NULL when what must follow would have no room. */
static char *push(struct stack *s, const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > (size_t)(s->top - s->base) / 2)
		return NULL;
	s->top -= n;
	return memcpy(s->top, text, n);
}

static size_t count(char *const v[])
{
	size_t n = 0;

	while (v[n])
		n++;
	return n;
}

/* Has a launcher started this process, or does the user know better? */
static bool leaves_orted_alone(char *const envp[])
{
	size_t i;

	for (i = 0; envp[i]; i++)
		if (begins_with(envp[i], "PMIX_NAMESPACE=",
				strlen("PMIX_NAMESPACE=")) ||
		    begins_with(envp[i], singleton,
				strcspn(singleton, "=") + 1))
			return true;
	return false;
}

/*
 * LD_LIBRARY_PATH with the library's own directory last: what it needs may
 * have been found by the program's run path.
 */
static char *push_library_path(struct stack *s, const char *given,
			       const char *library)
{
	const char *slash = library ? strrchr(library, '/') : NULL;
	char *text, *at;

	if (!slash)
		return given ? push(s, given) : push(s, LIBRARY_PATH);
	if (asprintf(&text, "%s%s%.*s", given ? given : LIBRARY_PATH,
		     given && given[strlen(LIBRARY_PATH)] ? ":" : "",
		     (int)(slash - library), library) < 0)
		return NULL;
	at = push(s, text);
	free(text);
	return at;
}

/* Pushes the environment, its addresses into env (room enough). */
static int push_environment(struct stack *s, char *const envp[],
			    const char *library, char **env)
{
	const char *library_path = NULL;
	char link[64];
	size_t i;

	for (i = 0; envp[i]; i++) {
		if (begins_with(envp[i], LIBRARY_PATH, strlen(LIBRARY_PATH)))
			library_path = envp[i];
		else if (is_wanted(envp[i]) && !(*env++ = push(s, envp[i])))
			return -E2BIG;
	}
	if (!(*env++ = push_library_path(s, library_path, library)))
		return -E2BIG;
	if (!leaves_orted_alone(envp) && !(*env++ = push(s, singleton)))
		return -E2BIG;
	for (i = 0; i < sizeof(put_in) / sizeof(put_in[0]); i++)
		if (!(*env++ = push(s, put_in[i])))
			return -E2BIG;
	snprintf(link, sizeof(link), CR_LOWER_LINK_ENV "=%lx",
		 (unsigned long)&cr_lower_link);
	if (!(*env++ = push(s, link)))
		return -E2BIG;
	*env = NULL;
	return 0;
}

static int fill(struct stack *s, const struct cr_elf *ld,
		const char *const argv[], char *const envp[], char **env,
		unsigned long *sp)
{
	char *arg[8], *random, *platform, *execfn;
	unsigned long *p;
	size_t argc, i, words;
	int rc;

	/* ld.so, lh_main, library */
	rc = push_environment(s, envp, argv[2], env);
	if (rc)
		return rc;
	for (argc = 0; argv[argc]; argc++)
		if (argc == 8 || !(arg[argc] = push(s, argv[argc])))
			return -E2BIG;
	platform = push(s, "x86_64");
	execfn = push(s, argv[0]);
	if (!platform || !execfn)
		return -E2BIG;
	s->top = random = (char *)(((unsigned long)s->top - 16) & -16UL);
	if (getrandom(random, 16, 0) != 16)
		return -errno;

	words = 1 + argc + 1 + count(env) + 1 + 2 * AUXV_MAX;
	if (words * sizeof(*p) > (size_t)(s->top - s->base) / 2)
		return -E2BIG;
	p = (unsigned long *)(((unsigned long)s->top - words * sizeof(*p)) &
			      -16UL);
	*sp = (unsigned long)p;
	*p++ = argc;
	for (i = 0; i < argc; i++)
		*p++ = (unsigned long)arg[i];
	*p++ = 0;
	for (i = 0; env[i]; i++)
		*p++ = (unsigned long)env[i];
	*p++ = 0;
	put_auxv(p, ld, random, platform, execfn);
	return 0;
}

int cr_stack_make(const struct cr_elf *ld, const char *const argv[],
		  char *const envp[], unsigned long *sp, struct cr_error *err)
{
	struct cr_hook_args r = {
		0, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
		-1, 0, 0
	};
	long base = cr_arena_map(&r);
	struct stack s;
	char **env;
	int rc;

	if (base < 0)
		return cr_error_set(err, (int)base,
				    "no memory for the lower half's stack: %s",
				    strerror((int)-base));
	s.base = (char *)base;
	s.top = s.base + STACK_SIZE - 64;
	env = calloc(count(envp) + sizeof(put_in) / sizeof(put_in[0]) + 4,
		     sizeof(*env));
	if (!env)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = fill(&s, ld, argv, envp, env, sp);
	free(env);
	if (rc)
		cr_error_set(err, rc,
			     "cannot hand the environment to the lower half: "
			     "%s", strerror(-rc));
	return rc;
}
