/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* object.c - the table of kinds */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "objects/kinds.h"

/* The first that claims a descriptor has it. */
static const struct cr_object_ops *const kinds[] = {
	&cr_object_pty,	      &cr_object_proc,	  &cr_object_mqueue,  &cr_object_unnamed,
	&cr_object_regular,
	&cr_object_directory, &cr_object_device,  &cr_object_pipe,
	&cr_object_stdio,     &cr_object_eventfd, &cr_object_signalfd,
	&cr_object_timerfd,   &cr_object_epoll,	  &cr_object_unix,
	&cr_object_fifo,      &cr_object_memfd,	  &cr_object_memfd_huge,
	&cr_object_inet,
	&cr_object_pidfd,     &cr_object_inotify, &cr_object_sysv_shm,
	&cr_object_sysv_sem,  &cr_object_sysv_msg, &cr_object_epoll_busy,
	&cr_object_place,     &cr_object_unix_moved,
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* What to call a thing that nobody claims, and what can be done. */
static void describe(const struct cr_object_source *src, const char **what,
		     const char **todo)
{
	static const struct {
		const char *link, *what, *todo;
	} anon[] = {
		{ "anon_inode:[io_uring]", "an io_uring",
		  "make the program use ordinary I/O" },
		{ "anon_inode:[userfaultfd]", "a userfaultfd", NULL },
		{ "anon_inode:[perf_event]", "a performance counter",
		  "run it without perf" },
		{ "anon_inode:[fanotify]", "a fanotify group", NULL },
	};
	size_t i;

	*todo = "close it before the checkpoint";
	for (i = 0; i < sizeof(anon) / sizeof(anon[0]); i++)
		if (!strncmp(src->link, anon[i].link, strlen(anon[i].link))) {
			*what = anon[i].what;
			if (anon[i].todo)
				*todo = anon[i].todo;
			return;
		}
	switch (src->st.st_mode & S_IFMT) {
	case S_IFSOCK:
		*what = "a socket";
		break;
	case S_IFIFO:
		*what = src->link[0] == '/' ? "a FIFO that leads out of the "
					      "processes to be saved"
					    : "a pipe that leads out of the "
					      "processes to be saved";
		*todo = "checkpoint both ends together, or close it before "
			"the checkpoint";
		break;
	case S_IFCHR:
		*what = !strncmp(src->link, "/dev/pts/", 9) ||
					!strcmp(src->link, "/dev/tty")
				? "a terminal that is not its standard input "
				  "or output"
				: "a device";
		break;
	case S_IFBLK:
		*what = "a block device";
		break;
	default:
		*what = "of a kind that is unknown here";
	}
}

const struct cr_object_ops *cr_object_find(const struct cr_object_source *src,
					   struct cr_error *err)
{
	const char *what, *todo;
	size_t i;

	for (i = 0; i < N_KINDS; i++)
		if (kinds[i]->claims(src))
			return kinds[i];
	describe(src, &what, &todo);
	cr_error_set(err, -ENOTSUP, "%s is %s, which cannot be saved; %s",
		     cr_object_label(src), what, todo);
	return NULL;
}

const struct cr_object_ops *cr_object_ops_of(uint32_t kind)
{
	size_t i;

	for (i = 0; i < N_KINDS; i++)
		if (kinds[i]->kind == kind)
			return kinds[i];
	return NULL;
}
