/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysv_sem.c - System V semaphores, with what the end of a process takes back
 *
 * The kernel shows no adjustments (SEM_UNDO).  But it refuses an operation
 * that would exceed their range, before it does anything: so they are found
 * by operations that cannot be done.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/sysv.h"

#define AT_ONCE 64u  /* calls */
#define OP_MAX 32767 /* of a value, an operation and an adjustment */
#define N_OPS 6

/*
 * Is there a list of adjustments (SEM_UNDO)?  Nobody tells, but who has none
 * shares the lack of it with us.  Every program with threads has one, which
 * may be empty.
 */
static bool has_undo(pid_t tid)
{
	return syscall(SYS_kcmp, getpid(), tid, KCMP_SYSVSEM, 0, 0) > 0;
}

static bool same_undo(pid_t a, pid_t b)
{
	return !syscall(SYS_kcmp, a, b, KCMP_SYSVSEM, 0, 0);
}

bool cap_sysv_own_undo(const struct cap_proc *p, pid_t tid)
{
	return has_undo(tid) && !same_undo(p->tid, tid);
}

/* One number of each semaphore. */
static int ask_each(struct cap_sysv *w, int32_t id, uint64_t cmd, size_t n,
		    int64_t *out, struct cr_error *err)
{
	struct cr_remote_call calls[AT_ONCE];
	size_t i, k, some;
	int ret = 0;

	for (i = 0; !ret && i < n; i += some) {
		some = n - i < AT_ONCE ? n - i : AT_ONCE;
		for (k = 0; k < some; k++)
			calls[k] = (struct cr_remote_call){
				.nr = SYS_semctl,
				.arg = { (uint64_t)id, i + k, cmd }
			};
		ret = cr_remote_batch(w->t, calls, some, err);
		if (!ret)
			ret = cap_check_calls(calls, some, err);
		for (k = 0; k < some; k++)
			out[i + k] = calls[k].ret;
	}
	return ret;
}

/* Is the adjustment of a semaphore more than limit, or less, if negative? */
struct probe {
	size_t sem;
	int value; /* of the semaphore */
	int limit; /* 0 and more: "more than"; ~0 and less: "less than ~limit"
		    */
};

/*
 * Operations that would exceed the range of adjustments if it is so, and
 * else would have to wait, as the last one says; either way nothing is done.
 */
static size_t make_ops(const struct probe *p, struct sembuf *op)
{
	/* to the highest value, and down from there; or the reverse */
	int first = p->limit < 0 ? -p->value : OP_MAX - p->value;
	int down = ~p->limit;
	size_t k = 0;

	if (first) /* 0 would wait for 0 */
		op[k++].sem_op = (short)first;
	op[k].sem_flg = SEM_UNDO;
	if (p->limit >= 0) {
		op[k++].sem_op = (short)(p->limit - OP_MAX);
	} else if (down) {
		op[k++].sem_op = (short)(OP_MAX + 1 - down);
	} else {
		op[k++].sem_op = OP_MAX;
		op[k++].sem_op = -OP_MAX;
		op[k].sem_flg = SEM_UNDO;
		op[k++].sem_op = 1;
	}
	op[k++].sem_op = -OP_MAX;
	op[k++].sem_op = -1;
	for (size_t i = 0; i < k; i++) {
		op[i].sem_num = (unsigned short)p->sem;
		op[i].sem_flg |= IPC_NOWAIT;
	}
	return k;
}

static int ask_probes(struct cr_task *t, int32_t id, const struct probe *p,
		      size_t n, bool *yes, struct cr_error *err)
{
	struct cr_remote_call calls[AT_ONCE];
	struct sembuf op[AT_ONCE][N_OPS] = { 0 };
	int ret;

	for (size_t i = 0; i < n; i++)
		calls[i] = (struct cr_remote_call){
			.nr = SYS_semop,
			.arg = { (uint64_t)id, t->scratch + i * sizeof(op[0]),
				 make_ops(&p[i], op[i]) }
		};
	ret = cr_remote_write(t->tid, t->scratch, op, n * sizeof(op[0]), err);
	if (!ret)
		ret = cr_remote_batch(t, calls, n, err);
	for (size_t i = 0; !ret && i < n; i++)
		yes[i] = calls[i].ret == -ERANGE;
	return ret;
}

/* It is not 0: the sign is known, the rest is found by halving. */
static int find_adjustment(struct cr_task *t, int32_t id, struct probe p,
			   int *adj, struct cr_error *err)
{
	int low = 1, high = OP_MAX + 1, mid, ret = 0;
	bool down = p.limit < 0, more;

	while (!ret && low < high) {
		mid = low + (high - low) / 2;
		p.limit = down ? ~mid : mid;
		more = false;
		if (mid <= OP_MAX)
			ret = ask_probes(t, id, &p, 1, &more, err);
		if (more)
			low = mid + 1;
		else
			high = mid;
	}
	*adj = down ? -low : low;
	return ret;
}

static int add_undo(struct cr_sysv_sem *s, size_t sem, int32_t pid, int adj)
{
	struct cr_sysv_undo *more;

	more = realloc(s->undo, (s->n_undo + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->undo = more;
	more[s->n_undo++] = (struct cr_sysv_undo){ (uint32_t)sem, pid, adj };
	return 0;
}

/* Adjustments that the end of p would make to the semaphores of s. */
static int read_undo(struct cap_sysv *w, struct cap_proc *p,
		     struct cr_sysv_sem *s, struct cr_error *err)
{
	struct cr_task *t = &p->threads[0]->task;
	struct probe probe[AT_ONCE];
	bool yes[AT_ONCE];
	size_t i, k, n;
	int adj, ret = 0;

	for (i = 0; !ret && i < s->n; i += n / 2) {
		for (n = 0; n < AT_ONCE && i + n / 2 < s->n; n++)
			probe[n] = (struct probe){ i + n / 2,
						   (int)s->sem[i + n / 2].value,
						   n % 2 ? ~0 : 0 };
		ret = ask_probes(t, s->perm.id, probe, n, yes, err);
		for (k = 0; !ret && k < n; k++) {
			if (!yes[k])
				continue;
			ret = find_adjustment(t, s->perm.id, probe[k], &adj,
					      err);
			if (!ret && add_undo(s, probe[k].sem, p->vpid, adj))
				ret = cap_sysv_no_memory(err);
		}
	}
	if (!ret && p->mm_of->guard.owner)
		ret = cr_remote_settle(p->mm_of->guard.owner);
	return ret;
}

static int read_undos(struct cap_sysv *w, struct cr_sysv_sem *s,
		      struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < w->c->n_procs; i++) {
		struct cap_proc *p = w->c->procs[i], *q;
		size_t before = s->n_undo;

		if (!cap_live(p) || !has_undo(p->tid))
			continue;
		ret = read_undo(w, p, s, err);
		for (size_t k = 0; !ret && s->n_undo > before && k < i; k++) {
			q = w->c->procs[k];
			if (cap_live(q) && same_undo(q->tid, p->tid))
				ret = cr_error_set(
					err, -ENOTSUP,
					"process %d: shares adjustments of "
					"semaphores (SEM_UNDO) with process "
					"%d, which cannot be saved; have the "
					"program do without SEM_UNDO",
					p->vpid, q->vpid);
		}
	}
	return ret;
}

/* Who made its threads without CLONE_SYSVSEM. */
static int check_threads(struct cap_sysv *w, struct cr_error *err)
{
	for (size_t i = 0; i < w->c->n_procs; i++) {
		struct cap_proc *p = w->c->procs[i];

		for (size_t k = 1; cap_live(p) && k < p->n_threads; k++)
			if (cap_sysv_own_undo(p, p->threads[k]->task.tid))
				return cap_sysv_refuse_thread(
					p, p->threads[k]->vtid, err);
	}
	return 0;
}

/*
 * Values, and who set them; *ours: somebody of the tree.  A set that no
 * operation was ever done on is in no list of adjustments, and to ask would
 * put it into that of every process.
 */
static int read_set(struct cap_sysv *w, struct cr_sysv_sem *s, bool used,
		    bool *ours, int32_t *outsider, struct cr_error *err)
{
	int64_t *pid = calloc(2 * s->n + 1, sizeof(*pid));
	int64_t *value = pid + s->n;
	int ret;

	s->sem = calloc(s->n + 1, sizeof(*s->sem));
	if (!pid || !s->sem) {
		free(pid);
		return cap_sysv_no_memory(err);
	}
	ret = ask_each(w, s->perm.id, GETPID, s->n, pid, err);
	if (!ret)
		ret = ask_each(w, s->perm.id, GETVAL, s->n, value, err);
	for (size_t i = 0; !ret && i < s->n; i++) {
		s->sem[i].value = (uint32_t)value[i];
		ret = cap_sysv_outsider(w, (int32_t)pid[i], outsider, err);
		if (!cap_sysv_in_tree(w->c, (int32_t)pid[i]))
			continue;
		s->sem[i].pid = (int32_t)pid[i];
		*ours = true;
	}
	free(pid);
	if (!ret && used)
		ret = read_undos(w, s, err);
	*ours |= s->n_undo > 0;
	return ret;
}

static int add_set(struct cap_sysv *w, int32_t id, const struct semid_ds *ds,
		   struct cr_error *err)
{
	struct cr_sysv_sem s = { .n = ds->sem_nsems };
	int32_t outsider = 0;
	bool ours = false;
	int ret;

	cap_sysv_perm(&s.perm, id, &ds->sem_perm);
	if (s.n > CAP_SYSV_SEMAPHORES)
		s.n = CAP_SYSV_SEMAPHORES;
	ret = read_set(w, &s, ds->sem_otime != 0, &ours, &outsider, err);
	if (ret == -EINVAL || ret == -EIDRM) {
		/* somebody who is not stopped has removed it meanwhile */
		cr_error_clear(err);
		ours = false;
		ret = 0;
	}
	if (!ret && ours)
		ret = check_threads(w, err);
	if (!ret && ours && outsider)
		ret = cap_sysv_refuse(w, "semaphore set", id, outsider, err);
	if (!ret && ours && s.n < ds->sem_nsems)
		ret = cap_sysv_refuse_size(w, id, err);
	if (!ret && ours)
		ret = cap_sysv_add(w, CR_OBJ_SYSV_SEM, cr_sysv_sem_record, &s,
				   err);
	cr_sysv_sem_free(&s);
	return ret;
}

/* All that there are, by their places in the kernel's table. */
int cap_sysv_add_sets(struct cap_sysv *w, struct cr_error *err)
{
	struct semid_ds ds;
	int64_t last, id;
	int ret;

	ret = cap_sysv_ask(w, &last, SYS_semctl, 0, 0, SEM_INFO, w->t->scratch,
			   0, err);
	for (int64_t i = 0; !ret && i <= last; i++) {
		ret = cap_sysv_ask_for(w, &id, SYS_semctl, (uint64_t)i, 0,
				       SEM_STAT, w->t->scratch, &ds, sizeof(ds),
				       err);
		if (!ret && id >= 0)
			ret = add_set(w, (int32_t)id, &ds, err);
	}
	return ret;
}
