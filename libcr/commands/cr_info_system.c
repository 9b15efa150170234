/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cr_info_system.c - what this machine offers its user, and what is missing
 *
 * One row for each thing that Stillpoint can use.  A test says what there is;
 * "without" tells what does not work, or works less well, when it is not.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kernel-module/uapi/cr.h"
#include "commands/cr_info.h"
#include "engine/engine.h"

#define CAP_SYS_PTRACE_BIT 19
#define CAP_SYS_ADMIN_BIT 21
#define CAP_CHECKPOINT_RESTORE_BIT 40
#define WP_ASYNC_BIT (1ULL << 15)

/* linux/fs.h has it since 6.7 */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages,
		inverted, mask, anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)

struct row {
	const char *name;
	/* Says in detail what there is; false: it is not there. */
	bool (*test)(char *detail, size_t size);
	const char *without;
};

static bool say(bool there, char *detail, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static bool say(bool there, char *detail, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, size, fmt, ap);
	va_end(ap);
	return there;
}

static uint64_t own_capabilities(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long cap = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &cap) == 1)
			break;
	if (f)
		fclose(f);
	return cap;
}

static bool has(int bit)
{
	return own_capabilities() >> bit & 1;
}

static bool kernel(char *detail, size_t size)
{
	struct utsname u;

	uname(&u);
	return say(true, detail, size, "%s", u.release);
}

static bool module(char *detail, size_t size)
{
	struct cr_error err = { 0 };
	struct cr_engine e;

	if (cr_engine_open(&e, CR_ENGINE_MODULE, &err) < 0)
		return say(false, detail, size, "%s", strerror(-err.code));
	cr_engine_close(&e);
	return say(true, detail, size, "%s, interface %d:%s%s%s%s", CR_DEVICE,
		   CR_ABI_VERSION,
		   e.features & CR_FEATURE_PAGES ? " pages" : "",
		   e.features & CR_FEATURE_PIDS ? " pids" : "",
		   e.features & CR_FEATURE_STOP ? " stop" : "",
		   e.policy & CR_POLICY_STRICT ? " (strict)" : "");
}

static bool exact_pids(char *detail, size_t size)
{
	struct cr_engine e;
	int ret;

	if (has(CAP_SYS_ADMIN_BIT) || has(CAP_CHECKPOINT_RESTORE_BIT))
		return say(true, detail, size, "by capability");
	cr_engine_open(&e, CR_ENGINE_AUTO, NULL);
	ret = cr_engine_may_grant(&e);
	cr_engine_close(&e);
	if (!ret)
		return say(true, detail, size, "by the kernel module");
	return say(false, detail, size, "%s",
		   ret == -ENODEV ? "no capability and no kernel module"
				  : "the kernel module does not allow it here");
}

/* In a child: namespaces cannot be left again. */
static bool namespaces(char *detail, size_t size)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		if (has(CAP_SYS_ADMIN_BIT))
			_exit(unshare(CLONE_NEWPID | CLONE_NEWNS) ? errno : 0);
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)
			      ? errno
			      : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return say(false, detail, size, "cannot be told");
	if (WEXITSTATUS(status))
		return say(false, detail, size, "%s",
			   strerror(WEXITSTATUS(status)));
	return say(true, detail, size, "user, pid and mount namespaces");
}

/* May the module read what a program with libcr is asked by? */
static bool module_reads(void)
{
	struct cr_engine e;
	bool may;

	cr_engine_open(&e, CR_ENGINE_AUTO, NULL);
	may = cr_engine_has_pages(&e) && !(e.policy & CR_POLICY_STRICT);
	cr_engine_close(&e);
	return may;
}

static bool tracing(char *detail, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	if (has(CAP_SYS_PTRACE_BIT) && scope < 3)
		return say(true, detail, size, "by capability (Yama: %d)",
			   scope);
	switch (scope) {
	case 0:
		return say(true, detail, size, "processes of the same user");
	case 1:
		return say(false, detail, size, "descendants%s only (Yama: 1)",
			   module_reads() ? ", and programs with libcr," : "");
	default:
		return say(false, detail, size, "refused (Yama: %d)", scope);
	}
}

static bool page_scan(char *detail, size_t size)
{
	struct scan_arg arg = { .size = sizeof(arg) };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -1 : ioctl(fd, SCAN, &arg);
	bool there = ret >= 0 || (fd >= 0 && errno != ENOTTY);

	if (fd >= 0)
		close(fd);
	return say(there, detail, size, "%s",
		   there ? "PAGEMAP_SCAN" : "no PAGEMAP_SCAN (kernel 6.7)");
}

static bool write_protect(char *detail, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	bool there;

	if (fd < 0)
		return say(false, detail, size, "userfaultfd: %s",
			   strerror(errno));
	there = !ioctl(fd, UFFDIO_API, &api) && (api.features & WP_ASYNC_BIT);
	close(fd);
	return say(there, detail, size, "%s",
		   there ? "userfaultfd WP_ASYNC"
			 : "userfaultfd without WP_ASYNC (kernel 6.7)");
}

static bool timers(char *detail, size_t size)
{
	bool there = !access("/proc/self/timers", R_OK);

	return say(there, detail, size, "/proc/PID/timers");
}

static const struct row rows[] = {
	{ "kernel", kernel, "" },
	{ "module", module,
	  "no exact process ids for ordinary users, slower checkpoints" },
	{ "exact pids", exact_pids,
	  "restarts are in namespaces made for them, if those may be made" },
	{ "namespaces", namespaces, "restarts need exact process ids" },
	{ "tracing", tracing,
	  "only root, or a parent of the processes, can checkpoint them" },
	{ "timers", timers, "processes with POSIX timers cannot be saved" },
	{ "page scan", page_scan, "finding pages takes longer" },
	{ "write-protect", write_protect, "no tracking of written pages" },
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

static void print_json(const bool *there, char (*detail)[128])
{
	struct json_object *all = json_object_new_object(), *one;

	for (size_t i = 0; i < N_ROWS; i++) {
		one = json_object_new_object();
		json_object_object_add(one, "available",
				       json_object_new_boolean(there[i]));
		json_object_object_add(one, "detail",
				       json_object_new_string(detail[i]));
		if (!there[i])
			json_object_object_add(
				one, "without",
				json_object_new_string(rows[i].without));
		json_object_object_add(all, rows[i].name, one);
	}
	puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
	json_object_put(all);
}

void info_print_system(bool json)
{
	char detail[N_ROWS][128];
	bool there[N_ROWS];

	for (size_t i = 0; i < N_ROWS; i++)
		there[i] = rows[i].test(detail[i], sizeof(detail[i]));
	if (json) {
		print_json(there, detail);
		return;
	}
	for (size_t i = 0; i < N_ROWS; i++) {
		printf("%-14s %-4s %s\n", rows[i].name, there[i] ? "yes" : "no",
		       detail[i]);
		if (!there[i])
			printf("%19s without: %s\n", "", rows[i].without);
	}
}
