/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* creds.c - who the program was; never more than the restarting user may */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"

enum { INHERITABLE, PERMITTED, EFFECTIVE, BOUNDING, AMBIENT };

/* Our own capability sets, in the order of cr_process.cap. */
static int own_caps(uint64_t cap[5])
{
	static const char *const names[] = { "CapInh:", "CapPrm:", "CapEff:",
					     "CapBnd:", "CapAmb:" };
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	memset(cap, 0, 5 * sizeof(*cap));
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		for (int i = 0; i < 5; i++)
			if (!strncmp(line, names[i], 7))
				sscanf(line + 7, "%lx", &cap[i]);
	fclose(f);
	return 0;
}

static int call(struct cr_task *t, const char *what, long nr,
		const uint64_t args[6], struct cr_error *err)
{
	int64_t ret = cr_stub_call(t, what, nr, args, err);

	return ret < 0 ? (int)ret : 0;
}

static bool same_groups(const struct cr_process *p)
{
	static gid_t mine[65536];
	int n = getgroups(65536, mine);

	if (n < 0 || (size_t)n != p->n_groups)
		return false;
	for (int i = 0; i < n; i++)
		if (mine[i] != p->groups[i])
			return false;
	return true;
}

/*
 * Groups that may not be set here stay those of the restarting user: it has
 * no more rights with them than without the restart.
 */
static int restore_groups(struct cr_restore_context *ctx, struct cr_task *t,
			  const struct cr_process *p, struct cr_error *err)
{
	int64_t ret;
	uint64_t at;
	int r;

	if (same_groups(p))
		return 0;
	at = cr_stub_put(ctx, t, 0, p->groups, p->n_groups * sizeof(*p->groups),
			 err);
	if (!at)
		return err->code;
	r = cr_stub_try(t, &ret, SYS_setgroups,
			(uint64_t[6]){ p->n_groups, at }, err);
	if (r < 0)
		return r;
	if (ret < 0 && ret != -EPERM)
		return cr_error_set(err, (int)ret,
				    "process %d: supplementary groups: %s",
				    p->pid, strerror((int)-ret));
	return 0;
}

static int restore_ids(struct cr_task *t, const struct cr_process *p,
		       struct cr_error *err)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	int ret = 0;

	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	if (rg != p->gid[0] || eg != p->gid[1] || sg != p->gid[2])
		ret = call(t, "group ids", SYS_setresgid,
			   (uint64_t[6]){ p->gid[0], p->gid[1], p->gid[2] },
			   err);
	if (!ret && p->gid[3] != p->gid[1])
		ret = call(t, "file system group id", SYS_setfsgid,
			   (uint64_t[6]){ p->gid[3] }, err);
	if (!ret && (r != p->uid[0] || e != p->uid[1] || s != p->uid[2])) {
		ret = call(t, "keeping capabilities", SYS_prctl,
			   (uint64_t[6]){ PR_SET_KEEPCAPS, 1 }, err);
		if (!ret)
			ret = call(t, "user ids", SYS_setresuid,
				   (uint64_t[6]){ p->uid[0], p->uid[1],
						  p->uid[2] },
				   err);
		if (!ret)
			ret = call(t, "keeping capabilities", SYS_prctl,
				   (uint64_t[6]){ PR_SET_KEEPCAPS, 0 }, err);
	}
	if (!ret && p->uid[3] != p->uid[1])
		ret = call(t, "file system user id", SYS_setfsuid,
			   (uint64_t[6]){ p->uid[3] }, err);
	return ret;
}

/* The bounding set can only shrink, and needs its capability to do so. */
static int drop_bounding(struct cr_task *t, const struct cr_process *p,
			 const uint64_t own[5], struct cr_error *err)
{
	for (int c = 0; c < 64; c++) {
		int64_t ret;
		int r;

		if (!(own[BOUNDING] >> c & 1) || (p->cap[BOUNDING] >> c & 1))
			continue;
		r = cr_stub_try(t, &ret, SYS_prctl,
				(uint64_t[6]){ PR_CAPBSET_DROP, (uint64_t)c },
				err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_caps(struct cr_restore_context *ctx, struct cr_task *t,
		    uint64_t inh, uint64_t prm, uint64_t eff,
		    struct cr_error *err)
{
	struct {
		struct __user_cap_header_struct head;
		struct __user_cap_data_struct data[2];
	} arg = { .head.version = _LINUX_CAPABILITY_VERSION_3 };
	uint64_t at;

	for (int i = 0; i < 2; i++) {
		arg.data[i].permitted = (uint32_t)(prm >> (32 * i));
		arg.data[i].effective = (uint32_t)(eff >> (32 * i));
		arg.data[i].inheritable = (uint32_t)(inh >> (32 * i));
	}
	at = cr_stub_put(ctx, t, 0, &arg, sizeof(arg), err);
	if (!at)
		return err->code;
	return call(t, "capabilities", SYS_capset,
		    (uint64_t[6]){ at, at + offsetof(__typeof__(arg), data) },
		    err);
}

static int set_caps(struct cr_restore_context *ctx, struct cr_task *t,
		    const struct cr_process *p, const uint64_t own[5],
		    struct cr_error *err)
{
	uint64_t prm = p->cap[PERMITTED] & own[PERMITTED];
	uint64_t eff = p->cap[EFFECTIVE] & prm;
	uint64_t inh = p->cap[INHERITABLE] &
		       (own[INHERITABLE] | own[PERMITTED]) & own[BOUNDING];
	uint64_t amb = p->cap[AMBIENT] & prm & inh;
	int ret = put_caps(ctx, t, inh, prm, eff, err);

	for (int c = 0; !ret && c < 64; c++)
		if ((amb >> c & 1) && !(own[AMBIENT] >> c & 1))
			ret = call(t, "ambient capabilities", SYS_prctl,
				   (uint64_t[6]){ PR_CAP_AMBIENT,
						  PR_CAP_AMBIENT_RAISE,
						  (uint64_t)c },
				   err);
	return ret;
}

/* PR_SET_KEEPCAPS, one of the bits, is for everybody. */
static int set_securebits(struct cr_task *t, uint64_t bits,
			  struct cr_error *err)
{
	int64_t now = cr_stub_call(t, "secure bits", SYS_prctl,
				   (uint64_t[6]){ PR_GET_SECUREBITS }, err);

	if (now < 0)
		return (int)now;
	if (((uint64_t)now ^ bits) == SECBIT_KEEP_CAPS)
		return call(t, "keeping capabilities", SYS_prctl,
			    (uint64_t[6]){ PR_SET_KEEPCAPS,
					   !!(bits & SECBIT_KEEP_CAPS) },
			    err);
	return call(t, "secure bits", SYS_prctl,
		    (uint64_t[6]){ PR_SET_SECUREBITS, bits }, err);
}

int cr_creds_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		     struct cr_task *t, struct cr_error *err)
{
	const struct cr_process *p = s->p;
	uint64_t own[5];
	int ret = own_caps(own);

	if (ret < 0)
		return cr_error_set(err, ret, "/proc/self/status: %s",
				    strerror(-ret));
	ret = restore_groups(ctx, t, p, err);
	if (!ret)
		ret = restore_ids(t, p, err);
	/* root who became another has kept them, but not in effect */
	if (!ret && own[EFFECTIVE])
		ret = put_caps(ctx, t, own[INHERITABLE], own[PERMITTED],
			       own[EFFECTIVE], err);
	if (!ret)
		ret = drop_bounding(t, p, own, err);
	if (!ret && p->securebits)
		ret = set_securebits(t, p->securebits, err);
	if (!ret)
		ret = set_caps(ctx, t, p, own, err);
	if (!ret && p->no_new_privs)
		ret = call(t, "no_new_privs", SYS_prctl,
			   (uint64_t[6]){ PR_SET_NO_NEW_PRIVS, 1 }, err);
	return ret;
}
