/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* respawn.c - a launcher is not restored: its command is run anew */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"

/*
 * What comes from the restart.  Not SLURM_*: a script may have changed those;
 * plugins/slurm refreshes the others when the launcher starts.
 */
static bool from_restart(const char *entry)
{
	static const char *const prefixes[] = { "PMIX_", "CR_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(entry, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return !strncmp(a, b, n) && b[n] == '=';
}

static size_t count(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

/* The recorded environment with the restart's variables put over it. */
static char **merge(char *const *old, char *const *new)
{
	size_t n_old = count(old), n_new = count(new), n = 0;
	char **env = calloc(n_old + n_new + 1, sizeof(*env));

	if (!env)
		return NULL;
	for (size_t i = 0; i < n_old; i++) {
		bool over = false;

		for (size_t k = 0; k < n_new && !over; k++)
			over = from_restart(new[k]) &&
			       same_name(new[k], old[i]);
		if (!over)
			env[n++] = old[i];
	}
	for (size_t k = 0; k < n_new; k++)
		if (from_restart(new[k]))
			env[n++] = new[k];
	return env;
}

static const char *lookup(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; env[i]; i++)
		if (!strncmp(env[i], name, n) && env[i][n] == '=')
			return env[i] + n + 1;
	return NULL;
}

/* As execvp(3) would find it with the launcher's own PATH. */
static int find_program(const char *name, char *const *env, char *path,
			size_t size)
{
	const char *dirs = lookup(env, "PATH");

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		return 0;
	}
	for (dirs = dirs ? dirs : "/usr/bin:/bin"; *dirs;) {
		int n = (int)strcspn(dirs, ":");

		snprintf(path, size, "%.*s/%s", n, dirs, name);
		if (n && !access(path, X_OK))
			return 0;
		dirs += n;
		dirs += *dirs == ':';
	}
	return -ENOENT;
}

/* Where the strings of a vector go in a block laid out for address base. */
static size_t lay_out(char *block, uint64_t base, size_t pointers,
		      size_t strings, char *const *v)
{
	uint64_t *p = (uint64_t *)(block + pointers);

	for (size_t i = 0; v[i]; i++) {
		size_t n = strlen(v[i]) + 1;

		p[i] = base + strings;
		memcpy(block + strings, v[i], n);
		strings += n;
	}
	return strings;
}

static size_t bytes_of(char *const *v)
{
	size_t n = 0;

	for (size_t i = 0; v[i]; i++)
		n += strlen(v[i]) + 1;
	return n;
}

static int exec_in_stub(struct cr_stub *s, const char *path, char *const *argv,
			char *const *env, struct cr_error *err)
{
	size_t at_env = (count(argv) + 1) * 8;
	size_t at_path = at_env + (count(env) + 1) * 8;
	size_t at_strings = at_path + strlen(path) + 1;
	size_t size = at_strings + bytes_of(argv) + bytes_of(env);
	struct cr_task *t = &s->tasks[0];
	int64_t base;
	char *block;
	int ret;

	base = cr_stub_call(t, "memory for its arguments", SYS_mmap,
			    (uint64_t[6]){ 0, size, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS,
					   (uint64_t)-1, 0 },
			    err);
	if (base < 0)
		return (int)base;
	block = calloc(1, size);
	if (!block)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(block + at_path, path, strlen(path) + 1);
	at_strings = lay_out(block, (uint64_t)base, 0, at_strings, argv);
	lay_out(block, (uint64_t)base, at_env, at_strings, env);
	ret = cr_remote_write(t->tid, (uint64_t)base, block, size, err);
	free(block);
	if (ret < 0)
		return ret;
	/* everything of the stub, the bench included, goes by this */
	base = cr_stub_call(t, path, SYS_execve,
			    (uint64_t[6]){ (uint64_t)base + at_path,
					   (uint64_t)base,
					   (uint64_t)base + at_env },
			    err);
	if (base < 0)
		return (int)base;
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &t->regs) < 0)
		return cr_error_set(err, -errno, "process %d: registers: %s",
				    s->pid, strerror(errno));
	t->gadget = 0;
	t->scratch = 0;
	/* stubs block every signal; a shell starts its commands with none */
	return cr_remote_set_sigmask(t, 0, err);
}

int cr_respawn(struct cr_restore_context *ctx, struct cr_stub *s,
	       struct cr_error *err)
{
	char *const *over =
		ctx->opt->environment ? ctx->opt->environment : environ;
	char path[4096];
	char **env;
	int ret;

	if (!s->p->argv || !s->p->argv[0])
		return cr_error_set(err, -EINVAL,
				    "process %d: its command is not in the "
				    "image",
				    s->pid);
	env = merge(s->p->envp, over);
	if (!env)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = find_program(s->p->argv[0], env, path, sizeof(path));
	if (ret < 0)
		cr_error_set(err, ret,
			     "process %d: its program %s is not "
			     "found",
			     s->pid, s->p->argv[0]);
	else
		ret = exec_in_stub(s, path, s->p->argv, env, err);
	free(env);
	return ret;
}
