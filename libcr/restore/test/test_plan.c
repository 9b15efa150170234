/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_plan.c - are the steps to build a tree in a possible order? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "restore/plan.h"

static const struct cr_plan_options none;

static struct cr_process *add(struct cr_image *img, int pid, int ppid, int pgid,
			      int sid)
{
	struct cr_process *p = cr_image_add_process(img);
	uint32_t i = (uint32_t)(img->n_procs - 1);

	p->kind = CR_PROC_NORMAL;
	p->pid = pid;
	p->ppid = ppid;
	p->pgid = pgid;
	p->sid = sid;
	p->exit_signal = SIGCHLD;
	p->mm = p->fds_of = p->fs_of = p->sighand_of = i;
	if (!img->root_pid)
		img->root_pid = pid;
	return p;
}

/* Plays a plan and checks that the kernel would allow every step. */
static void play(const struct cr_image *img, const struct cr_plan *plan)
{
	struct {
		int there, pid, parent, session, group;
	} s[32] = { 0 };

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct cr_step *st = &plan->steps[i];
		uint32_t x = st->stub, by = st->creator;
		int found = 0;

		switch (st->kind) {
		case CR_STEP_CREATE:
			assert_false(s[x].there);
			assert_true(by == CR_NONE || s[by].there);
			s[x].there = 1;
			s[x].pid = st->pid;
			s[x].parent = by == CR_NONE ? 1 : s[by].pid;
			if (st->flags & CLONE_PARENT)
				s[x].parent = s[by].parent;
			s[x].session = by == CR_NONE ? 0 : s[by].session;
			s[x].group = by == CR_NONE ? 0 : s[by].group;
			break;
		case CR_STEP_SETSID:
			assert_int_not_equal(s[x].group, s[x].pid);
			s[x].session = s[x].group = s[x].pid;
			break;
		case CR_STEP_SETPGID:
			assert_int_not_equal(s[x].session, s[x].pid);
			for (size_t k = 0; k < plan->n_stubs; k++)
				found |= s[k].there && s[k].group == st->pgid &&
					 s[k].session == s[x].session;
			assert_true(found || st->pgid == s[x].pid);
			s[x].group = st->pgid;
			break;
		case CR_STEP_END:
			assert_true(x >= img->n_procs);
			for (size_t k = 0; k < plan->n_stubs; k++)
				if (s[k].parent == s[x].pid)
					s[k].parent = 1;
			s[x].there = 0;
			break;
		}
	}
	for (size_t i = 0; i < plan->n_stubs; i++)
		assert_int_equal(s[i].there, i < img->n_procs);
	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];
		const struct cr_process *root = &img->procs[0];

		assert_int_equal(s[i].pid, p->pid);
		if (cr_plan_find(img, p->ppid) != CR_NONE)
			assert_int_equal(s[i].parent, p->ppid);
		else
			assert_int_equal(s[i].parent, 1);
		if (p->sid != root->sid || cr_plan_find(img, p->sid) != CR_NONE)
			assert_int_equal(s[i].session, p->sid);
		if (p->pgid != root->pgid ||
		    cr_plan_find(img, p->pgid) != CR_NONE)
			assert_int_equal(s[i].group, p->pgid);
	}
}

static void good(struct cr_image *img)
{
	struct cr_error err = { 0 };
	struct cr_plan *plan;

	if (cr_plan_create(&plan, img, &none, &err) < 0)
		fail_msg("%s", err.text);
	play(img, plan);
	cr_plan_destroy(plan);
	cr_image_destroy(img);
}

static void refused(struct cr_image *img, int code)
{
	struct cr_error err = { 0 };
	struct cr_plan *plan;

	assert_int_equal(cr_plan_create(&plan, img, &none, &err), code);
	assert_null(plan);
	assert_true(err.text[0]);
	cr_image_destroy(img);
}

static void one_process(void **state)
{
	struct cr_image *img = cr_image_create();

	add(img, 10, 1, 10, 10);
	good(img);
	img = cr_image_create();
	add(img, 10, 1, 7, 3); /* of a shell outside */
	add(img, 11, 10, 7, 3);
	good(img);
}

static void child_older_than_session(void **state)
{
	struct cr_image *img = cr_image_create();

	add(img, 10, 1, 10, 10);
	add(img, 11, 10, 11, 11); /* leader ... */
	add(img, 12, 11, 10, 10); /* ... with a child from before */
	add(img, 13, 11, 13, 11); /* ... and from after */
	add(img, 14, 12, 14, 14); /* whose own child leads again */
	good(img);
}

static void dead_leaders(void **state)
{
	struct cr_image *img = cr_image_create();

	add(img, 10, 1, 10, 10);
	add(img, 11, 10, 20, 10); /* group 20: gone */
	add(img, 12, 10, 20, 10);
	add(img, 13, 1, 30, 30); /* session 30: gone, adopted by init */
	add(img, 14, 1, 30, 30);
	add(img, 15, 14, 31, 30); /* and a dead group in it */
	good(img);
	img = cr_image_create();
	add(img, 10, 1, 10, 10);  /* left session 40, whose leader died, */
	add(img, 11, 10, 40, 40); /* after it had made this one */
	good(img);
}

/* What a group, a session or forwarding brings along. */
static void several_roots(void **state)
{
	struct cr_image *img = cr_image_create();

	add(img, 10, 1, 10, 10);
	add(img, 11, 1, 11, 11); /* another session with its leader */
	add(img, 12, 11, 12, 11);
	add(img, 13, 1, 12, 11); /* orphans in sessions whose leaders ... */
	add(img, 14, 1, 14, 10); /* ... are no ancestors of theirs */
	add(img, 15, 14, 14, 10);
	good(img);
	img = cr_image_create();
	add(img, 10, 9, 7, 3);	 /* of a shell outside, */
	add(img, 11, 8, 6, 3);	 /* another job of it, */
	add(img, 12, 5, 5, 2);	 /* and one of another shell */
	add(img, 13, 1, 17, 17); /* in the session of a later one's child */
	add(img, 16, 1, 16, 16);
	add(img, 17, 16, 17, 17);
	good(img);
	img = cr_image_create();
	add(img, 10, 9, 10, 3);
	add(img, 11, 8, 10, 3)->fs_of = 0;
	good(img);
}

static void impossible(void **state)
{
	struct cr_image *img = cr_image_create();

	add(img, 10, 1, 7, 3);
	add(img, 11, 10, 40, 40); /* a dead leader's session, but a parent */
	refused(img, -ENOTSUP);
	img = cr_image_create();
	add(img, 10, 11, 10, 10);
	add(img, 11, 10, 10, 10);
	refused(img, -EINVAL);
	refused(cr_image_create(), -EINVAL);
}

/* LinuxThreads: main, manager and threads share everything. */
static void manager(void **state)
{
	struct cr_image *img = cr_image_create();
	struct cr_error err = { 0 };
	struct cr_plan *plan;

	for (int i = 0; i < 4; i++) {
		struct cr_process *p = add(img, 10 + i, i ? 9 + i : 1, 10, 10);

		if (i == 3)
			p->ppid = 11;
		p->mm = p->fds_of = p->fs_of = p->sighand_of = 0;
	}
	assert_int_equal(cr_plan_create(&plan, img, &none, &err), 0);
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == CR_STEP_CREATE &&
		    plan->steps[i].stub)
			assert_true(plan->steps[i].flags ==
				    (CLONE_VM | CLONE_FILES | CLONE_FS |
				     CLONE_SIGHAND));
	play(img, plan);
	cr_plan_destroy(plan);
	cr_image_destroy(img);
}

static void siblings_share(void **state)
{
	struct cr_image *img = cr_image_create();
	struct cr_process *p;

	add(img, 10, 1, 10, 10);
	p = add(img, 11, 10, 10, 10);
	p = add(img, 12, 10, 10, 10);
	p->mm = 1; /* made by 11 with CLONE_PARENT | CLONE_VM */
	good(img);
	img = cr_image_create();
	add(img, 10, 1, 10, 10);
	add(img, 11, 10, 10, 10);
	add(img, 12, 10, 10, 10);
	p = add(img, 13, 12, 10, 10);
	p->mm = 1; /* with its parent's sibling */
	refused(img, -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process),
		cmocka_unit_test(child_older_than_session),
		cmocka_unit_test(dead_leaders),
		cmocka_unit_test(several_roots),
		cmocka_unit_test(impossible),
		cmocka_unit_test(manager),
		cmocka_unit_test(siblings_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
