/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.c - finds the kernel module and asks it */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kernel-module/uapi/cr.h"
#include "remote/remote.h"

int cr_engine_parse(const char *text, enum cr_engine_choice *choice)
{
	static const char *const names[] = { "auto", "module", "user" };

	for (unsigned int i = 0; i < 3; i++)
		if (!strcmp(text, names[i])) {
			*choice = (enum cr_engine_choice)i;
			return 0;
		}
	return -EINVAL;
}

enum cr_engine_choice cr_engine_default(void)
{
	const char *text = getenv("CR_ENGINE");
	enum cr_engine_choice choice = CR_ENGINE_AUTO;

	if (text)
		cr_engine_parse(text, &choice);
	return choice;
}

int cr_engine_open(struct cr_engine *e, enum cr_engine_choice choice,
		   struct cr_error *err)
{
	struct cr_ioc_info info = { 0 };
	int ret = 0;

	*e = (struct cr_engine){ .fd = -1 };
	if (choice == CR_ENGINE_USER)
		return 0;
	e->fd = open(CR_DEVICE, O_RDWR | O_CLOEXEC);
	if (e->fd < 0 || ioctl(e->fd, CR_IOC_INFO, &info) < 0)
		ret = -errno;
	else if (info.version != CR_ABI_VERSION)
		ret = -EPROTONOSUPPORT;
	e->features = info.features;
	e->policy = info.policy;
	if (ret < 0)
		cr_engine_close(e);
	if (ret < 0 && choice == CR_ENGINE_MODULE)
		return cr_error_set(err, ret, "the kernel module: %s: %s",
				    CR_DEVICE, strerror(-ret));
	return 0;
}

void cr_engine_close(struct cr_engine *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* EALREADY: the thread has the right without us, or still. */
static int open_window(struct cr_engine *e)
{
	if (ioctl(e->fd, CR_IOC_PIDS_OPEN) < 0 && errno != EALREADY)
		return -errno;
	return 0;
}

void cr_engine_revoke(struct cr_engine *e)
{
	if (e->fd >= 0)
		ioctl(e->fd, CR_IOC_PIDS_CLOSE);
}

int cr_engine_may_grant(struct cr_engine *e)
{
	int ret;

	if (e->fd < 0)
		return -ENODEV;
	ret = open_window(e);
	if (!ret)
		cr_engine_revoke(e);
	return ret;
}

int cr_engine_grant(struct cr_engine *e, struct cr_error *err)
{
	int ret = e->fd < 0 ? 0 : open_window(e);

	return ret < 0 ? cr_error_set(err, ret,
				      "the kernel module does not let us "
				      "choose process ids: %s",
				      strerror(-ret))
		       : 0;
}

static int remote_ioctl(struct cr_engine *e, struct cr_task *t,
			unsigned long cmd, int tolerated, struct cr_error *err)
{
	int64_t ret = 0;
	int r;

	if (e->fd < 0)
		return 0;
	r = cr_remote_syscall(t, &ret, SYS_ioctl, (uint64_t)e->fd, cmd, 0, 0, 0,
			      0, err);
	if (r < 0)
		return r;
	if (ret < 0 && ret != tolerated)
		return cr_error_set(err, (int)ret,
				    "thread %d: the kernel module does not let "
				    "it choose process ids: %s",
				    t->tid, strerror((int)-ret));
	return 0;
}

int cr_engine_grant_to(struct cr_engine *e, struct cr_task *t,
		       struct cr_error *err)
{
	return remote_ioctl(e, t, CR_IOC_PIDS_OPEN, -EALREADY, err);
}

int cr_engine_revoke_from(struct cr_engine *e, struct cr_task *t,
			  struct cr_error *err)
{
	return remote_ioctl(e, t, CR_IOC_PIDS_CLOSE, -ENOENT, err);
}

bool cr_engine_has_pages(const struct cr_engine *e)
{
	return e->fd >= 0 && e->features & CR_FEATURE_PAGES &&
	       e->features & CR_FEATURE_DIGESTS;
}

int cr_engine_attach(struct cr_engine *e, pid_t pid, struct cr_error *err)
{
	struct cr_ioc_target target = { .pid = pid };

	if (ioctl(e->fd, CR_IOC_ATTACH, &target) < 0)
		return cr_error_set(err, -errno,
				    "the kernel module does not let us read "
				    "its memory: %s",
				    strerror(errno));
	return 0;
}

void cr_engine_detach(struct cr_engine *e, pid_t pid)
{
	struct cr_ioc_target target = { .pid = pid };

	ioctl(e->fd, CR_IOC_DETACH, &target);
}

/* A signal ends the call early, if nothing was written yet with EINTR. */
int cr_engine_pages(struct cr_engine *e, struct cr_ioc_pages *arg)
{
	int ret;

	do
		ret = ioctl(e->fd, CR_IOC_PAGES, arg) < 0 ? -errno : 0;
	while (ret == -EINTR);
	return ret;
}

int cr_engine_read(struct cr_engine *e, pid_t pid, uint64_t addr, void *buf,
		   size_t len)
{
	const uint64_t page = 4096, skip = addr % page;
	struct cr_range range = { addr - skip,
				  (skip + len + page - 1) / page * page };
	struct cr_range run = { 0 };
	struct cr_ioc_pages arg = { .pid = pid,
				    .ranges = (uintptr_t)&range,
				    .n_ranges = 1,
				    .runs = (uintptr_t)&run,
				    .max_runs = 1 };
	int ret;

	if (e->fd < 0)
		return -ENODEV;
	ret = cr_engine_attach(e, pid, NULL);
	if (ret)
		return ret;
	arg.fd = memfd_create("pages", MFD_CLOEXEC);
	if (arg.fd < 0)
		ret = -errno;
	else
		ret = cr_engine_pages(e, &arg);
	if (!ret && (run.addr != range.addr || run.len != range.len ||
		     pread(arg.fd, buf, len, (off_t)skip) != (ssize_t)len))
		ret = -EFAULT;
	if (arg.fd >= 0)
		close(arg.fd);
	cr_engine_detach(e, pid);
	return ret;
}

void cr_engine_done(struct cr_engine *e, enum cr_engine_choice choice,
		    enum cr_engine_work work, pid_t pid, int result)
{
	struct cr_ioc_done done = { .what = work == CR_ENGINE_RESTART
						    ? CR_DONE_RESTART
						    : CR_DONE_CHECKPOINT,
				    .pid = pid,
				    .result = result };
	struct cr_engine own = { .fd = -1 };

	if (!e || e->fd < 0) {
		cr_engine_open(&own, choice, NULL);
		e = &own;
	}
	if (e->fd >= 0)
		ioctl(e->fd, CR_IOC_DONE, &done);
	cr_engine_close(&own);
}
