/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify_ids.c - may it be this user, and are its process ids free? */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/procfs.h"
#include "restore/build.h"

#define CAP_SETGID_BIT 6
#define CAP_SETUID_BIT 7
#define CAP_SYS_CHROOT_BIT 18
#define CAP_SYS_ADMIN_BIT 21
#define CAP_SYS_RESOURCE_BIT 24
#define CAP_SYS_TIME_BIT 25
#define CAP_CHECKPOINT_RESTORE_BIT 40

static bool have_cap(int bit)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t cap = 0;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, &cap) == 1)
			break;
	fclose(f);
	return cap >> bit & 1;
}

/* Time namespaces. */
bool cr_may_set_clocks(void)
{
	return have_cap(CAP_SYS_ADMIN_BIT) && have_cap(CAP_SYS_TIME_BIT);
}

bool cr_may_raise_limits(void)
{
	return have_cap(CAP_SYS_RESOURCE_BIT);
}

bool cr_may_choose_pids(void)
{
	return have_cap(CAP_SYS_ADMIN_BIT) ||
	       have_cap(CAP_CHECKPOINT_RESTORE_BIT);
}

static bool one_of(uint32_t id, const uint32_t own[3])
{
	return id == own[0] || id == own[1] || id == own[2];
}

/* More groups than it had are no harm; less would keep it from its files. */
static int verify_groups(const struct cr_process *p, struct cr_error *err)
{
	static gid_t mine[65536];
	int n = getgroups(65536, mine), i;

	for (size_t k = 0; k < p->n_groups; k++) {
		for (i = 0; i < n && mine[i] != p->groups[k]; i++)
			;
		if (i >= n && p->groups[k] != getegid())
			return cr_error_set(
				err, -EPERM,
				"process %d was in the supplementary group "
				"%u, and you are not; have somebody restart "
				"it who is, or root",
				p->pid, p->groups[k]);
	}
	return 0;
}

int cr_verify_identity(struct cr_restore_context *ctx, struct cr_error *err)
{
	uint32_t uid[3], gid[3];
	bool any_uid = have_cap(CAP_SETUID_BIT);
	bool any_gid = have_cap(CAP_SETGID_BIT);

	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		const struct cr_process *p = &ctx->img->procs[i];

		if (p->kind == CR_PROC_ZOMBIE)
			continue;
		for (int k = 0; k < 4; k++) {
			if (!any_uid && !one_of(p->uid[k], uid))
				return cr_error_set(
					err, -EPERM,
					"process %d ran as user %u: only this "
					"user or root can restart it",
					p->pid, p->uid[k]);
			if (!any_gid && !one_of(p->gid[k], gid))
				return cr_error_set(
					err, -EPERM,
					"process %d ran as group %u, which "
					"you may not become",
					p->pid, p->gid[k]);
		}
		if (!any_gid && verify_groups(p, err))
			return err->code;
		if (p->root && strcmp(p->root, "/") &&
		    !have_cap(CAP_SYS_CHROOT_BIT))
			return cr_error_set(err, -EPERM,
					    "process %d has the root directory "
					    "%s, which only root can give it",
					    p->pid, p->root);
	}
	return 0;
}

/* Who has this id: "4711 (bash)". */
static void name_holder(pid_t id, char *to, size_t size)
{
	char path[64], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", id);
	f = fopen(path, "re");
	if (f) {
		if (!fgets(name, sizeof(name), f))
			name[0] = '\0';
		name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(to, size, "%d (%s)", id, name[0] ? name : "unknown");
}

#define NAP_US 10000
#define MOST_NAPS 100 /* for all of them together */

/* It was killed a moment ago, and who has to collect it is about to. */
static void let_end(pid_t id, int *naps)
{
	struct cr_procfs_stat st;

	while (*naps < MOST_NAPS) {
		if (cr_procfs_stat(id, &st) || st.state != 'Z')
			return;
		usleep(NAP_US);
		++*naps;
	}
}

static int check_free(pid_t id, const char *what, int *naps,
		      struct cr_error *err)
{
	char holder[128];

	if (id <= 0)
		return 0;
	if (!kill(id, 0) || errno == EPERM)
		let_end(id, naps);
	if (!kill(id, 0) || errno == EPERM) {
		name_holder(id, holder, sizeof(holder));
		return cr_error_set(err, -EEXIST,
				    "%s %d cannot be restored: its id belongs "
				    "to the running process %s",
				    what, id, holder);
	}
	if (!kill(-id, 0) || (errno == EPERM && id > 1))
		return cr_error_set(err, -EEXIST,
				    "%s %d cannot be restored: its id is that "
				    "of a process group still in use",
				    what, id);
	return 0;
}

int cr_verify_pids(struct cr_restore_context *ctx, struct cr_error *err)
{
	int naps = 0;

	for (size_t i = 0; i < ctx->plan->n_steps; i++) {
		const struct cr_step *step = &ctx->plan->steps[i];
		const struct cr_process *p;
		int ret;

		if (step->kind != CR_STEP_CREATE)
			continue;
		ret = check_free(step->pid, "process", &naps, err);
		if (ret < 0)
			return ret;
		if (step->stub >= ctx->img->n_procs)
			continue;
		p = &ctx->img->procs[step->stub];
		for (size_t k = 1; k < p->n_threads; k++) {
			ret = check_free(p->threads[k].tid, "thread", &naps,
					 err);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}
