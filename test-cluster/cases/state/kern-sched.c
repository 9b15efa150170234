/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kern-sched.c - scheduling by time, and what a program may never be again */
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "state.h"

static struct sched_attr attributes(void)
{
	struct sched_attr a;

	memset(&a, 0, sizeof(a));
	CHECK(!syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0));
	return a;
}

STATE(sched_deadline)
{
	struct sched_attr a = {
		.size = sizeof(a),
		.sched_policy = SCHED_DEADLINE,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK,
		.sched_runtime = 1000000,
		.sched_deadline = 40000000,
		.sched_period = 50000000,
	};

	if (syscall(SYS_sched_setattr, 0, &a, 0))
		skip("needs the right to deadline scheduling");
	checkpoint();
	a = attributes();
	CHECK(a.sched_policy == SCHED_DEADLINE);
	CHECK(a.sched_flags & SCHED_FLAG_RESET_ON_FORK);
	CHECK(a.sched_runtime == 1000000 && a.sched_deadline == 40000000);
	CHECK(a.sched_period == 50000000);
}

STATE(sched_slice)
{
	struct sched_attr a = attributes();

	if (!a.sched_runtime)
		skip("needs Linux 6.12, which has time slices");
	a.sched_runtime = 20000000;
	CHECK(!syscall(SYS_sched_setattr, 0, &a, 0));
	checkpoint();
	a = attributes();
	CHECK(a.sched_runtime == 20000000 && !a.sched_policy);
}

/* Root who has become somebody else, and can never be all of root again. */
STATE(bounding_set)
{
	gid_t groups[] = { 7, 8, 30001 }, got[8];
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (geteuid() || setgroups(3, groups))
		skip("needs root");
	CHECK(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT));
	CHECK(!setresgid(30001, 30002, 30003));
	CHECK(!setresuid(20001, 20002, 0));
	checkpoint();
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT) == 0);
	CHECK(!getresuid(&r, &e, &s) && r == 20001 && e == 20002 && s == 0);
	CHECK(!getresgid(&rg, &eg, &sg));
	CHECK(rg == 30001 && eg == 30002 && sg == 30003);
	CHECK(getgroups(8, got) == 3 && !memcmp(groups, got, sizeof(groups)));
}
