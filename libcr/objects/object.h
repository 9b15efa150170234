/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object.h - one kind of open thing: how to save it and how to bring it back
 *
 * A new kind is one new file with one cr_object_ops, named in the table of
 * object.c, and one test.
 */
#ifndef CR_OBJECT_H
#define CR_OBJECT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/error.h"
#include "image/model.h"

/* An open file description as capture sees it from outside. */
struct cr_object_tree;
struct cr_object_source {
	const struct cr_object_tree *tree; /* what else is open where */
	pid_t pid;	 /* a process that has it, in the caller's namespace,
			    or a thread of it */
	int32_t vpid;	 /* the same as the program sees it, for messages */
	int fd;		 /* its number there */
	char link[4096]; /* /proc/PID/fd/N */
	struct stat st;	 /* of /proc/PID/fd/N */
	char fdinfo[16384]; /* /proc/PID/fdinfo/N */
	int local;	    /* a duplicate in the caller (pidfd_getfd), or -1
			       before anything is stopped */
	bool held;	    /* the process stands still */
	bool queued; /* we have it, and it is on its way to descriptor "to" */
	int to;
	bool drop; /* a connection that leads out comes back as reset */
	/*
	 * Keeps all of a file as shared memory of the image, and says which.
	 * There while it is captured.
	 */
	int (*keep)(const struct cr_object_source *src, int fd, uint64_t size,
		    uint32_t *shm, struct cr_error *err);
	/*
	 * Is it memory of some process of the tree, mapped shared?  And what
	 * is its device there?
	 */
	bool (*mapped)(const struct cr_object_source *src, dev_t *dev);
	/* What the program calls a process or thread of the tree, else 0. */
	int32_t (*number)(const struct cr_object_source *src, pid_t pid,
			  bool thread);
	int32_t (*group)(const struct cr_object_source *src, pid_t pgid);
	void *arg; /* of all */
};

/*
 * Fills src from /proc, without stopping or opening anything; local is -1.
 * -ENOENT (err untouched) if the descriptor is not there any more.
 */
int cr_object_source_read(struct cr_object_source *src, pid_t pid, int32_t vpid,
			  int fd, struct cr_error *err);
/* open(2) flags and file position, from fdinfo. */
uint32_t cr_object_flags(const struct cr_object_source *src);
int64_t cr_object_offset(const struct cr_object_source *src);
/*
 * A duplicate of the program's descriptor in the caller: src->local if it is
 * there, else a new one.  Give it back by cr_object_undup().
 */
int cr_object_dup(const struct cr_object_source *src, struct cr_error *err);
void cr_object_undup(const struct cr_object_source *src, int fd);
/* "process 12: descriptor 3 (/a/b)", for messages. */
const char *cr_object_label(const struct cr_object_source *src);

/*
 * What capture knows of the whole tree, for objects that span processes:
 * all descriptors, the root process first.
 */
struct cr_object_tree *cr_object_tree_create(void);
int cr_object_tree_add(struct cr_object_tree *tree,
		       const struct cr_object_source *src);
/* Something on its way was not seen: the other end of anything may be there. */
void cr_object_tree_unseen(struct cr_object_tree *tree);
void cr_object_tree_destroy(struct cr_object_tree *tree);
/* Does some process of the tree hold another end of the same object? */
bool cr_object_tree_has_peer(const struct cr_object_tree *tree,
			     const struct cr_object_source *src);
/* Is one of its descriptions in the tree in packet mode (O_DIRECT)? */
bool cr_object_tree_packets(const struct cr_object_tree *tree,
			    const struct cr_object_source *src);
/*
 * 0, 1 or 2 if the same object is somewhere in the tree a standard
 * descriptor of this number (the root's first); else -1.
 */
int cr_object_tree_stdio(const struct cr_object_tree *tree,
			 const struct cr_object_source *src);
/* The first terminal among the standard descriptors; -1. */
int cr_object_tree_terminal(const struct cr_object_tree *tree);
/* Is this end of the pseudo terminal with this number open in the tree? */
bool cr_object_tree_terminal_end(const struct cr_object_tree *tree,
				 int64_t index, bool master);
/* A descriptor of the i-th slave of those that read and write. */
bool cr_object_tree_slave(const struct cr_object_tree *tree, int64_t index,
			  size_t i, pid_t *pid, int *fd);
/* The number of the pseudo terminal that a descriptor shows as; -1: none. */
int64_t cr_object_terminal(const struct cr_object_source *src);
/* Is a socket with this inode number open somewhere in the tree? */
bool cr_object_tree_has_socket(const struct cr_object_tree *tree, uint64_t ino);
/* A descriptor of the i-th open thing of this type (S_IFMT); false: no more. */
bool cr_object_tree_place(const struct cr_object_tree *tree, mode_t type,
			  size_t i, pid_t *pid, int *fd);
/* The i-th descriptor of all. */
bool cr_object_tree_any(const struct cr_object_tree *tree, size_t i, pid_t *pid,
			int *fd);
/* The inode of the i-th socket; false behind the last one. */
bool cr_object_tree_socket(const struct cr_object_tree *tree, size_t i,
			   uint64_t *ino);
/* Same object, same number, within a kind. */
uint64_t cr_object_id(const struct stat *st);
/* The part of file->flags that open(2) and fcntl(2) take when it is reopened.
 */
int cr_object_open_flags(const struct cr_file *file);
/* F_SETFL of them, for what is not opened; 0 or -errno. */
int cr_object_set_flags(int fd, const struct cr_file *file);
/* A new description of what fd shows; -1 and errno. */
int cr_object_reopen(int fd, int flags);
/* Another number for the same description, or -errno. */
int cr_object_another(int fd, struct cr_error *err);
/* What follows "NAME:" and blanks in fdinfo, or NULL. */
const char *cr_object_field(const struct cr_object_source *src,
			    const char *name);

struct cr_restore_context; /* restore.h */

/* All open files of the image, and a descriptor that stands for each. */
struct cr_object_place {
	pid_t pid;
	int32_t vpid;
	int fd;
	bool queued; /* as of a source */
	int to;
	dev_t dev;
	ino_t ino;
};
struct cr_object_links {
	struct cr_image *img;
	const struct cr_object_place *place; /* parallel to img->files */
	const struct cr_object_tree *tree;
	/*
	 * The index of what the caller itself has open as fd, which is on its
	 * way to src; it may be a new file, and then all files move.
	 */
	int (*add)(const struct cr_object_links *links,
		   const struct cr_object_source *src, int fd, uint32_t *index,
		   struct cr_error *err);
	void *arg; /* of add */
};

struct cr_object_ops {
	enum cr_object_kind kind;
	const char *name; /* "pipe", for messages */
	bool late;	  /* restore() needs the processes; none may need it */
	/* Is this one of yours?  (Order in the table decides.) */
	bool (*claims)(const struct cr_object_source *src);
	/*
	 * Can it be saved?  0, or the reason with what to do in err.  Called
	 * before anything is stopped.  NULL: always.
	 */
	int (*check)(const struct cr_object_source *src, struct cr_error *err);
	/* Fills file beyond what is common (flags, offset, owner, kind). */
	int (*capture)(const struct cr_object_source *src, struct cr_file *file,
		       struct cr_error *err);
	/*
	 * Then, for each descriptor that shows it in each process: what is
	 * the process's own.
	 */
	int (*descriptor)(const struct cr_object_source *src,
			  struct cr_file *file, struct cr_error *err);
	/*
	 * Once all descriptors of the tree are in the image: what it has to
	 * do with others.  NULL: nothing.
	 */
	int (*link)(const struct cr_object_source *src,
		    const struct cr_object_links *links, struct cr_file *file,
		    struct cr_error *err);
	/* Before any process is created: is what it needs there? */
	int (*verify)(const struct cr_image *img, const struct cr_file *file,
		      struct cr_error *err);
	/*
	 * Opens it in the supervisor (the process that builds the tree) and
	 * returns the descriptor, or -errno.  Stubs inherit it, or are sent
	 * it when it is late.  Objects with
	 * several files (pipes) are made on the first call for an object_id
	 * and looked up in ctx by the next.
	 */
	int (*restore)(struct cr_restore_context *ctx,
		       const struct cr_file *file, struct cr_error *err);
	/*
	 * Once all processes exist and have their descriptors: what it has
	 * to do with others.  fd is what restore() made.
	 */
	int (*connect)(struct cr_restore_context *ctx,
		       const struct cr_file *file, int fd,
		       struct cr_error *err);
	/* The last thing before the release: what time does to it. */
	int (*start)(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err);
};

/*
 * The process is about to be killed: the addresses of its TCP connections
 * are to be free for a restart at once.
 */
void cr_object_forget_connection(const struct cr_object_source *src);

/* Before any process is created: has it grown, and is that an obstacle? */
int cr_regular_verify_append(struct cr_restore_context *ctx,
			     const struct cr_file *file, struct cr_error *err);

/* The kind that claims src; NULL and a reason in err if there is none. */
const struct cr_object_ops *cr_object_find(const struct cr_object_source *src,
					   struct cr_error *err);
const struct cr_object_ops *cr_object_ops_of(uint32_t kind);

#endif
