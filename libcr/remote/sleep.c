/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sleep.c - how long a thread has been asleep
 *
 * The kernel notes when a thread last left its processor, and tells of it in
 * /proc/PID/task/TID/sched, in the time of that processor.  Who reads this
 * before a stop, and finds behind it that the thread has slept through until
 * then, knows since when it waits.  That is never too much: it may have woken
 * up in between, for nothing, and gone on waiting; and the processor's time
 * leaves out what interrupts and the host of a virtual machine took.  A thread
 * that came into its next call before the stop has left its processor for
 * another reason, too, unless the stop met it right there; see timeout.c.
 *
 * The stop itself is noted likewise: where the thread came to it on the same
 * processor, both are of one clock.  Else we go to that processor and see what
 * its clock says.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/procfs.h"
#include "remote/internal.h"

/* The clocks of processors are not adjusted, by up to 1/2000, as others are. */
#define MARGIN 1000

static bool number(const char *text, const char *name, uint64_t *value)
{
	const char *at = strstr(text, name);

	at = at ? strchr(at, ':') : NULL;
	return at && sscanf(at + 1, "%" SCNu64, value) == 1;
}

bool cr_sleep_parse(const char *sched, struct cr_sleep *s)
{
	const char *at = strstr(sched, "\nse.exec_start ");
	uint64_t ms;
	unsigned int ns;

	at = at ? strchr(at, ':') : NULL;
	if (!at || sscanf(at + 1, "%" SCNu64 ".%6u", &ms, &ns) != 2 ||
	    !number(sched, "\nnr_switches ", &s->switches))
		return false;
	s->since = (int64_t)(ms * 1000000 + ns);
	/* 0: it was moved since, and nothing is known */
	return s->since > 0;
}

static bool read_sched(pid_t pid, pid_t tid, struct cr_sleep *s)
{
	char *text = cr_procfs_read(pid, NULL, "task/%d/sched", tid);
	bool ok = text && cr_sleep_parse(text, s);

	free(text);
	return ok;
}

bool cr_sleep_read(pid_t pid, pid_t tid, struct cr_sleep *s)
{
	struct cr_procfs_stat st;
	struct cr_sleep again;

	s->tid = tid;
	/* all of one sleep only if nothing changes around it */
	if (!read_sched(pid, tid, s) || cr_procfs_task_stat(pid, tid, &st) ||
	    st.state != 'S' || !read_sched(pid, tid, &again) ||
	    again.since != s->since || again.switches != s->switches)
		return false;
	s->cpu = st.processor;
	return true;
}

/* What the clock of that processor says; -1: we may not go there. */
static int64_t clock_of(int cpu)
{
	struct cr_sleep here;
	cpu_set_t kept, there;
	int64_t is = -1;

	CPU_ZERO(&there);
	CPU_SET(cpu, &there);
	if (sched_getaffinity(0, sizeof(kept), &kept) ||
	    sched_setaffinity(0, sizeof(there), &there))
		return -1;
	sched_yield(); /* notes the time */
	if (read_sched(getpid(), (pid_t)gettid(), &here) &&
	    sched_getcpu() == cpu)
		is = here.since;
	sched_setaffinity(0, sizeof(kept), &kept);
	return is;
}

int64_t cr_sleep_lasted(pid_t pid, const struct cr_sleep *s)
{
	struct cr_procfs_stat st;
	struct cr_sleep stop;
	int64_t until;

	if (!read_sched(pid, s->tid, &stop) ||
	    cr_procfs_task_stat(pid, s->tid, &st) ||
	    stop.switches != s->switches + 1)
		return -1;
	until = st.processor == s->cpu ? stop.since : clock_of(s->cpu);
	if (until < s->since)
		return -1;
	return (until - s->since) / MARGIN * (MARGIN - 1);
}
