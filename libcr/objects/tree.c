/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.c - which objects are held where in the tree */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "objects/object.h"

struct entry {
	dev_t dev;
	ino_t ino;
	dev_t rdev; /* character devices: the same terminal, by any name */
	mode_t type;
	pid_t pid;
	int fd, access;
	bool packets;
	int64_t terminal; /* see cr_object_terminal() */
};

struct cr_object_tree {
	struct entry *entries;
	size_t n, room;
	bool unseen;
};

struct cr_object_tree *cr_object_tree_create(void)
{
	return calloc(1, sizeof(struct cr_object_tree));
}

void cr_object_tree_unseen(struct cr_object_tree *tree)
{
	tree->unseen = true;
}

void cr_object_tree_destroy(struct cr_object_tree *tree)
{
	if (tree)
		free(tree->entries);
	free(tree);
}

int64_t cr_object_terminal(const struct cr_object_source *src)
{
	const char *index;

	if (!S_ISCHR(src->st.st_mode))
		return -1;
	if (major(src->st.st_rdev) == 136)
		return minor(src->st.st_rdev);
	if (src->st.st_rdev != makedev(5, 2)) /* ptmx: the master */
		return -1;
	index = cr_object_field(src, "tty-index:");
	return index ? strtol(index, NULL, 10) : -1;
}

static struct entry entry_of(const struct cr_object_source *src)
{
	/* a place is no end of anything */
	if (cr_object_flags(src) & O_PATH)
		return (struct entry){
			.dev = src->st.st_dev,
			.ino = src->st.st_ino,
			.pid = src->pid,
			.fd = src->fd,
			.terminal = -1,
		};
	return (struct entry){
		.dev = src->st.st_dev,
		.ino = src->st.st_ino,
		.rdev = src->st.st_rdev,
		.type = src->st.st_mode & S_IFMT,
		.pid = src->pid,
		.fd = src->fd,
		.access = (int)(cr_object_flags(src) & O_ACCMODE),
		.packets = cr_object_flags(src) & O_DIRECT,
		.terminal = cr_object_terminal(src),
	};
}

int cr_object_tree_add(struct cr_object_tree *tree,
		       const struct cr_object_source *src)
{
	struct entry *more;

	if (tree->n == tree->room) {
		tree->room = tree->room ? tree->room * 2 : 64;
		more = realloc(tree->entries, tree->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		tree->entries = more;
	}
	tree->entries[tree->n++] = entry_of(src);
	return 0;
}

static bool same_object(const struct entry *a, const struct entry *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == S_IFCHR)
		return a->rdev == b->rdev;
	return a->dev == b->dev && a->ino == b->ino;
}

bool cr_object_tree_has_peer(const struct cr_object_tree *tree,
			     const struct cr_object_source *src)
{
	struct entry me = entry_of(src);
	size_t i;

	if (!tree)
		return false;
	for (i = 0; i < tree->n; i++)
		if (same_object(&tree->entries[i], &me) &&
		    (tree->entries[i].access != me.access ||
		     me.access == O_RDWR))
			return true;
	return tree->unseen;
}

bool cr_object_tree_packets(const struct cr_object_tree *tree,
			    const struct cr_object_source *src)
{
	struct entry me = entry_of(src);
	size_t i;

	for (i = 0; tree && i < tree->n; i++)
		if (tree->entries[i].packets &&
		    same_object(&tree->entries[i], &me))
			return true;
	return me.packets;
}

int cr_object_tree_stdio(const struct cr_object_tree *tree,
			 const struct cr_object_source *src)
{
	struct entry me = entry_of(src);
	size_t i;

	for (i = 0; tree && i < tree->n; i++)
		if (tree->entries[i].fd <= 2 &&
		    same_object(&tree->entries[i], &me) &&
		    (tree->entries[i].access == me.access ||
		     tree->entries[i].access == O_RDWR))
			return tree->entries[i].fd;
	return -1;
}

int cr_object_tree_terminal(const struct cr_object_tree *tree)
{
	unsigned int m;
	size_t i;

	for (i = 0; tree && i < tree->n; i++) {
		m = major(tree->entries[i].rdev);
		if (tree->entries[i].fd <= 2 &&
		    tree->entries[i].type == S_IFCHR &&
		    (m == 4 || (m >= 136 && m <= 143)))
			return tree->entries[i].fd;
	}
	return -1;
}

bool cr_object_tree_has_socket(const struct cr_object_tree *tree, uint64_t ino)
{
	size_t i;

	for (i = 0; tree && i < tree->n; i++)
		if (tree->entries[i].type == S_IFSOCK &&
		    tree->entries[i].ino == ino)
			return true;
	return tree && tree->unseen;
}

bool cr_object_tree_socket(const struct cr_object_tree *tree, size_t i,
			   uint64_t *ino)
{
	for (size_t k = 0; tree && k < tree->n; k++)
		if (tree->entries[k].type == S_IFSOCK && !i--) {
			*ino = tree->entries[k].ino;
			return true;
		}
	return false;
}

bool cr_object_tree_place(const struct cr_object_tree *tree, mode_t type,
			  size_t i, pid_t *pid, int *fd)
{
	for (size_t k = 0; tree && k < tree->n; k++)
		if (tree->entries[k].type == type && !i--) {
			*pid = tree->entries[k].pid;
			*fd = tree->entries[k].fd;
			return true;
		}
	return false;
}

bool cr_object_tree_terminal_end(const struct cr_object_tree *tree,
				 int64_t index, bool master)
{
	for (size_t i = 0; tree && i < tree->n; i++)
		if (tree->entries[i].terminal == index &&
		    (tree->entries[i].rdev == makedev(5, 2)) == master)
			return true;
	return false;
}

bool cr_object_tree_any(const struct cr_object_tree *tree, size_t i, pid_t *pid,
			int *fd)
{
	if (!tree || i >= tree->n)
		return false;
	*pid = tree->entries[i].pid;
	*fd = tree->entries[i].fd;
	return true;
}

bool cr_object_tree_slave(const struct cr_object_tree *tree, int64_t index,
			  size_t i, pid_t *pid, int *fd)
{
	for (size_t k = 0; tree && k < tree->n; k++) {
		const struct entry *e = &tree->entries[k];

		if (e->terminal != index || e->rdev == makedev(5, 2) ||
		    e->access != O_RDWR || i--)
			continue;
		*pid = e->pid;
		*fd = e->fd;
		return true;
	}
	return false;
}
