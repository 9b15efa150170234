/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_json_process.c - cr_info --json: processes and threads */
#include <stdlib.h>
#include <string.h>

#include "commands/cr_info_json.h"

static void add_ids(struct json_object *o, const char *key, const uint32_t *ids,
		    size_t n)
{
	struct json_object *array = info_json_array(o, key);

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_int64(ids[i]));
}

static void add_strings(struct json_object *o, const char *key, char **list)
{
	struct json_object *array;

	if (!list) {
		json_object_object_add(o, key, NULL);
		return;
	}
	array = info_json_array(o, key);
	for (size_t i = 0; list[i]; i++) {
		char *text = info_printable(list[i], true);

		json_object_array_add(array, json_object_new_string(text));
		free(text);
	}
}

/* Signal numbers, in order. */
static void add_pending(struct json_object *o, const struct cr_siginfo *list,
			size_t n)
{
	struct json_object *array = info_json_array(o, "pending");

	for (size_t i = 0; i < n; i++) {
		int32_t signo;

		memcpy(&signo, list[i].raw, sizeof(signo));
		json_object_array_add(array, json_object_new_int(signo));
	}
}

static void add_thread(struct json_object *o, const struct cr_thread *t)
{
	uint64_t regs[27] = { 0 };

	info_json_int(o, "tid", t->tid);
	info_json_string(o, "comm", t->comm);
	if (t->regs.len == sizeof(regs)) {
		memcpy(regs, t->regs.data, sizeof(regs));
		info_json_hex(o, "rip", regs[16]);
		info_json_hex(o, "rsp", regs[19]);
		info_json_hex(o, "orig_rax", regs[15]);
		info_json_hex(o, "rax", regs[10]);
		info_json_hex(o, "fs_base", regs[21]);
	}
	info_json_int(o, "xstate_bytes", (int64_t)t->xstate.len);
	info_json_hex(o, "sigmask", t->sigmask);
	add_pending(o, t->pending, t->n_pending);
	info_json_hex(o, "altstack_sp", t->altstack_sp);
	info_json_int(o, "altstack_size", (int64_t)t->altstack_size);
	info_json_hex(o, "robust_head", t->robust_head);
	info_json_hex(o, "rseq_addr", t->rseq_addr);
	info_json_hex(o, "clear_child_tid", t->clear_child_tid);
	info_json_string(o, "sched_policy", info_policy(t->sched_policy));
	info_json_int(o, "sched_priority", t->sched_priority);
	info_json_int(o, "nice", t->nice);
	info_json_int(o, "ioprio", t->ioprio);
	info_json_int(o, "timerslack_ns", (int64_t)t->timerslack_ns);
	info_json_int(o, "pdeath_signal", t->pdeath_signal);
	info_json_int(o, "timeout_ns", t->timeout_ns);
}

static void add_credentials(struct json_object *o, const struct cr_process *p)
{
	static const char *const names[] = { "cap_inheritable", "cap_permitted",
					     "cap_effective", "cap_bounding",
					     "cap_ambient" };

	add_ids(o, "uid", p->uid, 4);
	add_ids(o, "gid", p->gid, 4);
	add_ids(o, "groups", p->groups, p->n_groups);
	for (size_t i = 0; i < 5; i++)
		info_json_hex(o, names[i], p->cap[i]);
	info_json_hex(o, "securebits", p->securebits);
	info_json_bool(o, "no_new_privs", p->no_new_privs);
	info_json_hex(o, "personality", p->personality);
	info_json_int(o, "oom_score_adj", p->oom_score_adj);
}

static void add_rlimits(struct json_object *o, const struct cr_process *p)
{
	struct json_object *array = info_json_array(o, "rlimits");

	for (size_t i = 0; i < CR_NRLIMIT; i++) {
		struct json_object *limit = info_json_element(array);
		const uint64_t pair[] = { p->rlimit[i].cur, p->rlimit[i].max };
		static const char *const keys[] = { "cur", "max" };

		for (size_t k = 0; k < 2; k++)
			json_object_object_add(
				limit, keys[k],
				pair[k] == UINT64_MAX
					? NULL
					: json_object_new_uint64(pair[k]));
	}
}

/* Only those that are not the default. */
static void add_sigactions(struct json_object *o, const struct cr_process *p)
{
	struct json_object *array = info_json_array(o, "signal_actions");

	for (size_t i = 0; i < CR_NSIG; i++) {
		const struct cr_sigaction *action = &p->sigaction[i];
		struct json_object *one;

		if (!action->handler)
			continue;
		one = info_json_element(array);
		info_json_int(one, "signal", (int64_t)i + 1);
		info_json_hex(one, "handler", action->handler);
		info_json_hex(one, "flags", action->flags);
		info_json_hex(one, "mask", action->mask);
	}
}

static void add_timers(struct json_object *o, const struct cr_process *p)
{
	struct json_object *array = info_json_array(o, "itimers");

	for (size_t i = 0; i < 3; i++) {
		struct json_object *one = info_json_element(array);

		info_json_int(one, "value_ns", p->itimer[i].value_ns);
		info_json_int(one, "interval_ns", p->itimer[i].interval_ns);
	}
	array = info_json_array(o, "timers");
	for (size_t i = 0; i < p->n_timers; i++) {
		const struct cr_posix_timer *timer = &p->timers[i];
		struct json_object *one = info_json_element(array);

		info_json_int(one, "id", timer->id);
		info_json_int(one, "clockid", timer->clockid);
		info_json_int(one, "notify", timer->notify);
		info_json_int(one, "signo", timer->signo);
		info_json_int(one, "tid", timer->tid);
		info_json_int(one, "value_ns", timer->it_value_ns);
		info_json_int(one, "interval_ns", timer->it_interval_ns);
		info_json_int(one, "overrun", timer->overrun);
	}
}

/* Whom it shares with: the pid, null for nobody. */
static void add_sharing(const struct info *in, struct json_object *o,
			const char *key, size_t self, uint32_t of)
{
	bool shared = of != CR_NONE && of != self;

	json_object_object_add(
		o, key,
		shared ? json_object_new_int(in->img->procs[of].pid) : NULL);
}

static void add_process(const struct info *in, struct json_object *o,
			size_t self)
{
	const struct cr_process *p = &in->img->procs[self];
	struct json_object *array;
	char **command = info_command(in, p);

	info_json_string(o, "kind", info_process_kind(p->kind));
	info_json_int(o, "pid", p->pid);
	info_json_int(o, "ppid", p->ppid);
	info_json_int(o, "pgid", p->pgid);
	info_json_int(o, "sid", p->sid);
	add_strings(o, "command", command);
	free(command);
	info_json_bool(o, "foreground", p->foreground);
	info_json_bool(o, "stopped", p->stopped);
	info_json_int(o, "stop_signal", p->stop_signal);
	info_json_int(o, "exit_status", p->exit_status);
	info_json_int(o, "exit_signal", p->exit_signal);
	info_json_bool(o, "child_subreaper", p->child_subreaper);
	info_json_index(o, "address_space", p->mm);
	add_sharing(in, o, "shares_descriptors_of", self, p->fds_of);
	add_sharing(in, o, "shares_directories_of", self, p->fs_of);
	add_sharing(in, o, "shares_signal_actions_of", self, p->sighand_of);
	add_credentials(o, p);
	info_json_string(o, "cwd", p->cwd);
	info_json_string(o, "root", p->root);
	info_json_int(o, "umask", p->umask);
	add_rlimits(o, p);
	add_sigactions(o, p);
	add_pending(o, p->pending, p->n_pending);
	add_timers(o, p);
	array = info_json_array(o, "descriptors");
	for (size_t i = 0; i < p->n_fds; i++) {
		struct json_object *fd = info_json_element(array);

		info_json_int(fd, "fd", p->fds[i].fd);
		info_json_bool(fd, "cloexec", p->fds[i].cloexec);
		info_json_index(fd, "open_file", p->fds[i].file);
	}
	array = info_json_array(o, "threads");
	for (size_t i = 0; i < p->n_threads; i++)
		add_thread(info_json_element(array), &p->threads[i]);
	if (p->kind == CR_PROC_RESPAWNED)
		add_strings(o, "environment", p->envp);
}

void info_json_processes(const struct info *in, struct json_object *root)
{
	struct json_object *array = info_json_array(root, "processes");

	for (size_t i = 0; i < in->img->n_procs; i++)
		if (info_selected(in, &in->img->procs[i]))
			add_process(in, info_json_element(array), i);
}
