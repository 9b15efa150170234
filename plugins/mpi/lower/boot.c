/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - brings the lower half up and forgets it */
#include "mpi/lower/boot.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mpi/lower/deliver.h"
#include "mpi/lower/hook.h"

#define HWCAP2_FSGSBASE 2
#define ARCH_SHSTK_STATUS 0x5005

struct cr_lower cr_lower;
struct cr_lower_link cr_lower_link;

static unsigned int generations; /* ever booted */
static unsigned long saved_registers[8], upper_fs;

/* ---- the program's libraries ---- */

struct find {
	char *path;
	size_t size;
};

static int find_mpi(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = info->dlpi_name ? info->dlpi_name : "";
	const char *base = strrchr(name, '/');
	struct find *f = arg;

	if (!base || strncmp(base, "/libmpi.so", strlen("/libmpi.so")))
		return 0;
	snprintf(f->path, f->size, "%s", name);
	return 1;
}

int cr_lower_library(char *path, size_t size, struct cr_error *err)
{
	struct find f = { path, size };

	if (!dl_iterate_phdr(find_mpi, &f))
		return cr_error_set(err, -ENOENT,
				    "the program has no Open MPI library "
				    "(libmpi.so) loaded");
	return 0;
}

static void find_main(char *path, size_t size)
{
	const char *dir = getenv("CR_LIBEXEC");

	snprintf(path, size, "%s/lh_main", dir && *dir ? dir : PKGLIBEXECDIR);
}

/* ---- before ---- */

static int check_arena_is_free(struct cr_error *err)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[4352];
	int rc = 0;

	if (!f)
		return cr_error_set(err, -errno,
				    "cannot read /proc/self/maps: %s",
				    strerror(errno));
	while (!rc && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    start < CR_ARENA_END && end > CR_LOWER_START)
			rc = cr_error_set(err, -EEXIST,
					  "addresses of the lower half are in "
					  "use: %s", line);
	fclose(f);
	return rc;
}

/* Stacks are changed in ways that a shadow stack takes for an attack. */
static int check_shadow_stack(struct cr_error *err)
{
	unsigned long features = 0;

	if (syscall(SYS_arch_prctl, ARCH_SHSTK_STATUS, &features) == 0 &&
	    features)
		return cr_error_set(err, -ENOTSUP,
				    "the program runs with a shadow stack "
				    "(CET); set GLIBC_TUNABLES="
				    "glibc.cpu.hwcaps=-SHSTK");
	return 0;
}

static int map_thunks(struct cr_error *err)
{
	void *at = (void *)CR_ARENA_THUNKS;

	if (mmap(at, CR_ARENA_THUNKS_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != at)
		return cr_error_set(err, -errno,
				    "no writable and executable memory "
				    "allowed (SELinux, MDWE?): %s",
				    strerror(errno));
	madvise(at, CR_ARENA_THUNKS_SIZE, MADV_DONTFORK);
	cr_hook.thunk = at;
	cr_hook.thunk_end = cr_hook.thunk + CR_ARENA_THUNKS_SIZE;
	return 0;
}

/*
 * What libcr does not save.  It must also know each descriptor at once, in
 * places where none of its functions can be called: hence the words.
 */
static int tell_libcr(struct cr_error *err)
{
	size_t words = 0;
	uint64_t *omitted;
	int rc;

	rc = cr_omit_memory((void *)CR_LOWER_START, CR_LOWER_SIZE);
	if (!rc)
		rc = cr_omit_threads_by_fs((void *)CR_LOWER_START,
					   CR_LOWER_SIZE);
	if (rc)
		return cr_error_set(err, rc,
				    "libcr cannot leave out the lower half: "
				    "%s", strerror(-rc));
	omitted = cr_omit_fd_words(&words);
	if (!omitted)
		return cr_error_set(err, -errno,
				    "libcr cannot leave out descriptors: %s",
				    strerror(errno));
	cr_fds_init(omitted, words);
	return 0;
}

/* For good: handlers may come at any time. */
static int tell_of_deliveries(struct cr_error *err)
{
	int rc = cr_delivery_code(cr_deliver_code,
				  (size_t)(cr_deliver_code_end -
					   cr_deliver_code));

	return rc ? cr_error_set(err, rc, "libcr: %s", strerror(-rc)) : 0;
}

static void untell_libcr(void)
{
	cr_omit_threads_by_fs(NULL, 0);
	cr_keep_memory((void *)CR_LOWER_START, CR_LOWER_SIZE);
}

/* ---- the way there and back ---- */

/* What the kernel knows of a thread and ld.so would set for itself. */
struct kernel_side {
	void *robust;
	size_t robust_len;
	int *exit_address;
	uint64_t signals;
};

static void keep_kernel_side(struct kernel_side *k)
{
	uint64_t all = ~0ULL;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &k->signals,
		sizeof(all));
	syscall(SYS_get_robust_list, 0, &k->robust, &k->robust_len);
	if (prctl(PR_GET_TID_ADDRESS, &k->exit_address) < 0)
		k->exit_address = NULL;
}

static void give_back_kernel_side(const struct kernel_side *k)
{
	syscall(SYS_set_robust_list, k->robust, k->robust_len);
	if (k->exit_address)
		syscall(SYS_set_tid_address, k->exit_address);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &k->signals, NULL,
		sizeof(k->signals));
}

/* Called by lh_main, on the lower half's control block and stack. */
static void back(void)
{
	cr_lower_set_fs(upper_fs);
	cr_boot_return(saved_registers);
}

/* Called by the lower half's exit(). */
static void leave(int status)
{
	if (cr_lower_callback_begin())
		exit(status);
}

static int run(const char *library, char *const envp[], struct cr_error *err)
{
	char ld_path[4096], main_path[4096];
	const char *argv[] = { ld_path, main_path, library, NULL };
	struct kernel_side kernel;
	struct cr_elf ld;
	unsigned long sp;
	int rc;

	cr_elf_interpreter(ld_path, sizeof(ld_path));
	find_main(main_path, sizeof(main_path));
	if (access(main_path, R_OK) < 0)
		return cr_error_set(err, -errno, "%s: %s", main_path,
				    strerror(errno));
	rc = cr_elf_map(ld_path, &ld, err);
	if (!rc)
		rc = cr_stack_make(&ld, argv, envp, &sp, err);
	if (rc)
		return rc;
	upper_fs = cr_lower_get_fs();
	keep_kernel_side(&kernel);
	cr_hook.booting_tid = (int)syscall(SYS_gettid);
	cr_boot_go(sp, ld.entry, saved_registers);
	cr_hook.booting_tid = 0;
	give_back_kernel_side(&kernel);
	if (cr_lower_link.error[0])
		return cr_error_set(err, -ELIBACC,
				    "cannot start the lower half: %s",
				    cr_lower_link.error);
	return 0;
}

static bool wants_two_pointers(void)
{
	const char *gs = getenv("CR_MPI_GS");

	return !gs || strcmp(gs, "0");
}

static void reset(void)
{
	memset(&cr_hook, 0, sizeof(cr_hook));
	cr_hook.pid = getpid();
	cr_hook.next_text = CR_ARENA_TEXT;
	cr_hook.next_data = CR_ARENA_DATA;
	cr_lower.switching = true;
	cr_hook.two_pointers = cr_lower.fsgsbase && wants_two_pointers();
	if (!cr_pointer_is_free())
		cr_hook.two_pointers = false;
	memset(&cr_lower_link, 0, sizeof(cr_lower_link));
	cr_lower_link.version = CR_LOWER_LINK_VERSION;
	cr_lower_link.back = back;
	cr_lower_link.leave = leave;
}

/*
 * A child of fork() has neither the lower half's memory (see arena.c) nor
 * its threads; its descriptors would only keep peers waiting, and the child
 * from being checkpointed.
 */
static void forget_in_child(void)
{
	cr_fds_fork_ends(true);
	if (!cr_lower.generation)
		return;
	cr_lower.generation = 0;
	cr_fds_clear(true);
	cr_thread_reset();
}

static void fork_in_parent(void)
{
	cr_fds_fork_ends(false);
}

static void register_atfork(void)
{
	pthread_atfork(cr_fds_fork_begins, fork_in_parent, forget_in_child);
}

int cr_lower_boot(const char *library, char *const envp[],
		  struct cr_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	if (cr_lower.generation)
		return cr_error_set(err, -EALREADY,
				    "the lower half is up already");
	pthread_once(&once, register_atfork);
	cr_lower.fsgsbase = cr_stack_auxv(AT_HWCAP2) & HWCAP2_FSGSBASE;
	reset();
	rc = check_shadow_stack(err);
	if (!rc)
		rc = check_arena_is_free(err);
	if (rc)
		return rc;
	cr_check_baseline();
	rc = tell_of_deliveries(err);
	if (!rc)
		rc = tell_libcr(err);
	if (rc)
		return rc;
	rc = map_thunks(err);
	if (!rc)
		rc = run(library, envp, err);
	if (rc) {
		cr_fds_clear(true);
		munmap((void *)CR_LOWER_START, CR_LOWER_SIZE);
		untell_libcr();
		return rc;
	}
	cr_lower.upper_offset = cr_lower_link.upper_offset;
	cr_lower.generation = ++generations;
	cr_thread_init();
	return 0;
}

static bool has_threads(void)
{
	char path[64];
	int i;

	for (i = 0; i < CR_LOWER_THREADS; i++) {
		if (!cr_lower_link.thread[i])
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d",
			 cr_lower_link.thread[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

int cr_lower_abandon(bool restored)
{
	if (!restored && has_threads())
		return -EBUSY;
	cr_lower.generation = 0;
	cr_lower.switching = true;
	cr_fds_clear(!restored);
	munmap((void *)CR_LOWER_START, CR_LOWER_SIZE);
	cr_thread_reset();
	untell_libcr();
	memset(&cr_lower_link, 0, sizeof(cr_lower_link));
	return 0;
}

void *cr_lower_symbol(const char *name)
{
	void *(*symbol)(const char *) = cr_lower_link.symbol;

	return cr_lower.generation ? CR_LOWER(symbol(name)) : NULL;
}

void cr_lower_flush(void)
{
	void (*flush)(void) = cr_lower_link.flush;

	if (cr_lower.generation)
		CR_LOWER_VOID(flush());
}

int cr_lower_gdb_script(const char *path, struct cr_error *err)
{
	const struct r_debug *debug = cr_lower_link.r_debug;
	const struct link_map *m;
	FILE *f;

	if (!cr_lower.generation)
		return cr_error_set(err, -ENXIO, "no lower half is up");
	f = fopen(path, "we");
	if (!f)
		return cr_error_set(err, -errno, "cannot write %s: %s", path,
				    strerror(errno));
	for (m = debug->r_map; m; m = m->l_next)
		if (m->l_name && m->l_name[0] == '/')
			fprintf(f, "add-symbol-file %s -o 0x%lx\n",
				m->l_name, (unsigned long)m->l_addr);
	if (fclose(f))
		return cr_error_set(err, -errno, "cannot write %s: %s", path,
				    strerror(errno));
	return 0;
}
