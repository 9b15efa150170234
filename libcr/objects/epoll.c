/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * epoll.c - epoll instances with what they watch
 *
 * An entry is known by an open file and the number that it had in the process
 * that added it; both come back, whether the number is still in use or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/epoll.h"
#include "restore/restore.h"

void cr_epoll_pack(struct cr_pack *p, void *items)
{
	struct cr_epoll_items *s = items;

	CR_PACK_ARRAY(p, s->item, s->n, 24);
	for (size_t i = 0; i < s->n && !p->status; i++) {
		cr_pack_s32(p, &s->item[i].number);
		cr_pack_u32(p, &s->item[i].file);
		cr_pack_u32(p, &s->item[i].events);
		cr_pack_u64(p, &s->item[i].data);
		cr_pack_s32(p, &s->item[i].adder);
	}
}

/* A program that does not know of them must not restore it. */
void cr_epoll_pack_busy(struct cr_pack *p, void *items)
{
	struct cr_epoll_items *s = items;

	cr_epoll_pack(p, s);
	cr_pack_u32(p, &s->usecs);
	cr_pack_u32(p, &s->budget);
	cr_pack_bool(p, &s->prefer);
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:[eventpoll]");
}

/* All of fdinfo, which has a line for each entry; NULL and errno. */
static char *read_info(const struct cr_object_source *src)
{
	size_t size = 16384, len = 0;
	char path[64], *text = NULL, *more;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", src->pid, src->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	for (;;) {
		more = realloc(text, size);
		if (!more) {
			free(text);
			close(fd);
			return NULL;
		}
		text = more;
		n = read(fd, text + len, size - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len == size - 1)
			size *= 2;
	}
	text[len] = 0;
	close(fd);
	return text;
}

static int refuse(const struct cr_object_source *src, int number,
		  const char *why, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "%s is an epoll instance that watches descriptor "
			    "%d, %s",
			    cr_object_label(src), number, why);
}

/*
 * The kernel adds a signalfd for the signals of whoever calls: it must be
 * clear which process that was.
 */
static int refuse_adders(const struct cr_object_source *src, int number,
			 size_t adders, struct cr_error *err)
{
	if (adders)
		return refuse(src, number,
			      "a signalfd that several processes share, which "
			      "cannot be saved; close it in all but one",
			      err);
	return refuse(src, number,
		      "a signalfd that its process has closed, which cannot "
		      "be saved; keep it open",
		      err);
}

static int find_adder(const struct cr_object_source *src,
		      const struct cr_image *img, const struct cr_file *self,
		      struct cr_epoll_item *it, struct cr_error *err)
{
	uint32_t me = (uint32_t)(self - img->files);
	size_t n = 0;

	it->adder = 0;
	if (img->files[it->file].kind != CR_OBJ_SIGNALFD)
		return 0;
	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];
		bool target = false, epoll = false;

		for (size_t k = 0; k < p->n_fds; k++) {
			target |= p->fds[k].fd == it->number &&
				  p->fds[k].file == it->file;
			epoll |= p->fds[k].file == me;
		}
		if (target && epoll) {
			it->adder = p->pid;
			n++;
		}
	}
	return n == 1 ? 0 : refuse_adders(src, it->number, n, err);
}

static int check_disarmed(const struct cr_object_source *src, pid_t pid, int fd,
			  const struct cr_epoll_item *it, struct cr_error *err)
{
	struct cr_object_source target = { .pid = pid, .fd = fd, .local = -1 };
	struct pollfd p = { .events = POLLIN | POLLOUT };

	if (!cr_epoll_disarmed(it->events))
		return 0;
	p.fd = cr_object_dup(&target, err);
	if (p.fd < 0)
		return p.fd;
	poll(&p, 1, 0);
	close(p.fd);
	if (p.revents)
		return 0;
	return refuse(src, it->number,
		      "an EPOLLONESHOT entry that has fired and cannot be "
		      "brought into this state again; try again later",
		      err);
}

/* Is this what an entry is about?  skip: entries before it alike. */
static long is_target(const struct cr_object_source *src,
		      const struct cr_epoll_item *it, uint32_t skip, pid_t pid,
		      int fd)
{
	struct kcmp_epoll_slot slot = { (uint32_t)src->fd, (uint32_t)it->number,
					skip };
	long r = syscall(SYS_kcmp, pid, src->pid, KCMP_EPOLL_TFD, fd, &slot);

	return r < 0 ? -errno : !r;
}

static int refuse_target(const struct cr_object_source *src, int number,
			 struct cr_error *err)
{
	return refuse(src, number,
		      "which is open only outside of the processes to be "
		      "saved; remove it before the checkpoint",
		      err);
}

/* What its process has as this number now, which is what it is as a rule. */
static uint32_t guess(const struct cr_object_source *src,
		      const struct cr_image *img, int number)
{
	for (size_t i = 0; i < img->n_procs; i++)
		for (size_t k = 0;
		     img->procs[i].pid == src->vpid && k < img->procs[i].n_fds;
		     k++)
			if (img->procs[i].fds[k].fd == number)
				return img->procs[i].fds[k].file;
	return CR_NONE;
}

/* Which open file an entry is about. */
static int find_target(const struct cr_object_source *src,
		       const struct cr_object_links *links,
		       struct cr_epoll_item *it, uint32_t skip,
		       struct cr_error *err)
{
	uint32_t first = guess(src, links->img, it->number);
	size_t i;
	long r;

	for (i = first == CR_NONE; i <= links->img->n_files; i++) {
		it->file = i ? (uint32_t)(i - 1) : first;
		r = is_target(src, it, skip, links->place[it->file].pid,
			      links->place[it->file].fd);
		if (r > 0)
			return 0;
		if (r < 0)
			return cr_error_set(err, (int)r, "%s: kcmp: %s",
					    cr_object_label(src),
					    strerror((int)-r));
	}
	return refuse_target(src, it->number, err);
}

static int parse(const char *text, struct cr_epoll_items *s,
		 struct cr_error *err)
{
	unsigned long long data;
	struct cr_epoll_item *more;
	unsigned int events;
	int number;

	while ((text = strstr(text, "tfd:"))) {
		if (sscanf(text, "tfd: %d events: %x data: %llx", &number,
			   &events, &data) != 3)
			return cr_error_set(err, -ENOTSUP,
					    "fdinfo of an epoll instance "
					    "cannot be understood");
		more = realloc(s->item, (s->n + 1) * sizeof(*more));
		if (!more)
			return cr_error_set(err, -ENOMEM, "out of memory");
		s->item = more;
		more[s->n++] = (struct cr_epoll_item){ .number = number,
						       .events = events,
						       .data = data };
		text += 4;
	}
	return 0;
}

/* Entries before the i-th with the same number. */
static uint32_t alike(const struct cr_epoll_items *s, size_t i)
{
	uint32_t n = 0;

	for (size_t k = 0; k < i; k++)
		n += s->item[k].number == s->item[i].number;
	return n;
}

static bool is_signalfd(pid_t pid, int fd)
{
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return readlink(path, link, sizeof(link) - 1) > 0 &&
	       !strcmp(link, "anon_inode:[signalfd]");
}

/* Does a process have the epoll instance, by any number? */
static bool has_self(const struct cr_object_source *src, pid_t pid)
{
	pid_t other;
	int fd;

	for (size_t i = 0; cr_object_tree_any(src->tree, i, &other, &fd); i++)
		if (other == pid &&
		    !syscall(SYS_kcmp, src->pid, pid, KCMP_FILE, src->fd, fd))
			return true;
	return false;
}

/* See find_adder(). */
static int check_adders(const struct cr_object_source *src,
			const struct cr_epoll_item *it, uint32_t skip,
			struct cr_error *err)
{
	pid_t pid, first = 0;
	size_t n = 0;
	int fd;

	for (size_t i = 0; cr_object_tree_any(src->tree, i, &pid, &fd); i++) {
		if (fd != it->number ||
		    is_target(src, it, skip, pid, fd) <= 0 ||
		    !has_self(src, pid))
			continue;
		/* one table of descriptors of several processes is one */
		if (first && !syscall(SYS_kcmp, first, pid, KCMP_FILES, 0, 0))
			continue;
		first = pid;
		n++;
	}
	return n == 1 ? 0 : refuse_adders(src, it->number, n, err);
}

/*
 * While the program runs: all that is open is asked for, and what comes and
 * goes meanwhile is no obstacle.
 */
static int check_target(const struct cr_object_source *src,
			const struct cr_epoll_item *it, uint32_t skip,
			struct cr_error *err)
{
	pid_t pid = src->pid;
	int fd = it->number;
	bool gone = false;
	long r = is_target(src, it, skip, pid, fd);
	int ret;

	for (size_t i = 0;
	     r <= 0 && cr_object_tree_any(src->tree, i, &pid, &fd); i++) {
		r = is_target(src, it, skip, pid, fd);
		gone |= r == -ENOENT || r == -ESRCH;
	}
	if (r <= 0)
		return gone ? 0 : refuse_target(src, it->number, err);
	ret = is_signalfd(pid, fd) ? check_adders(src, it, skip, err) : 0;
	return ret ? ret : check_disarmed(src, pid, fd, it, err);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct cr_epoll_items s = { 0 };
	char *text = read_info(src);
	int ret = 0;

	if (!text)
		return 0; /* it has gone */
	ret = parse(text, &s, err);
	free(text);
	for (size_t i = 0; i < s.n && !ret; i++)
		ret = check_target(src, &s.item[i], alike(&s, i), err);
	free(s.item);
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct cr_epoll_params p = { 0 };
	int fd = cr_object_dup(src, err);

	if (fd < 0)
		return fd;
	if (!ioctl(fd, CR_EPOLL_GET_PARAMS, &p) &&
	    (p.usecs || p.budget || p.prefer))
		file->kind = CR_OBJ_EPOLL_BUSY;
	cr_object_undup(src, fd);
	return 0; /* the rest once all files are known */
}

static int read_params(const struct cr_object_source *src,
		       struct cr_epoll_items *s, struct cr_error *err)
{
	struct cr_epoll_params p = { 0 };
	int fd = cr_object_dup(src, err);

	if (fd < 0)
		return fd;
	ioctl(fd, CR_EPOLL_GET_PARAMS, &p);
	cr_object_undup(src, fd);
	s->usecs = p.usecs;
	s->budget = p.budget;
	s->prefer = p.prefer;
	return 0;
}

static int capture_links(const struct cr_object_source *src,
			 const struct cr_object_links *links,
			 struct cr_file *file, struct cr_error *err)
{
	struct cr_epoll_items s = { 0 };
	char *text = read_info(src);
	size_t i;
	int ret;

	if (!text)
		return cr_error_set(err, -errno, "%s: fdinfo: %s",
				    cr_object_label(src), strerror(errno));
	ret = parse(text, &s, err);
	free(text);
	for (i = 0; i < s.n && !ret; i++) {
		ret = find_target(src, links, &s.item[i], alike(&s, i), err);
		if (!ret)
			ret = find_adder(src, links->img, file, &s.item[i],
					 err);
		if (!ret)
			ret = check_disarmed(src,
					     links->place[s.item[i].file].pid,
					     links->place[s.item[i].file].fd,
					     &s.item[i], err);
	}
	if (!ret && file->kind == CR_OBJ_EPOLL_BUSY) {
		ret = read_params(src, &s, err);
		if (!ret)
			ret = cr_object_record(file, cr_epoll_pack_busy, &s,
					       err);
	} else if (!ret) {
		ret = cr_object_record(file, cr_epoll_pack, &s, err);
	}
	free(s.item);
	return ret;
}

const struct cr_object_ops cr_object_epoll = {
	.kind = CR_OBJ_EPOLL,
	.name = "epoll instance",
	.claims = claims,
	.check = check,
	.capture = capture,
	.link = capture_links,
	.restore = cr_epoll_restore,
	.connect = cr_epoll_connect,
};

static bool claims_nothing(const struct cr_object_source *src)
{
	(void)src;
	return false;
}

const struct cr_object_ops cr_object_epoll_busy = {
	.kind = CR_OBJ_EPOLL_BUSY,
	.name = "epoll instance that asks devices",
	.claims = claims_nothing, /* but the one above, which looks closer */
	.link = capture_links,
	.restore = cr_epoll_restore,
	.connect = cr_epoll_connect,
};
