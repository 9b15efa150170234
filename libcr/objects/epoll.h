/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* epoll.h - what is recorded of an epoll instance */
#ifndef CR_OBJECTS_EPOLL_H
#define CR_OBJECTS_EPOLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "objects/kinds.h"
#include "objects/record.h"

/* Since Linux 6.9: it asks the network's devices itself. */
struct cr_epoll_params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};
#define CR_EPOLL_GET_PARAMS                                                    \
	_IOR(0x8a, 2, struct cr_epoll_params) /* EPIOCGPARAMS */
#define CR_EPOLL_SET_PARAMS _IOW(0x8a, 1, struct cr_epoll_params)

struct cr_epoll_item {
	int32_t number;	 /* its descriptor then */
	uint32_t file;	 /* index in cr_image.files */
	uint32_t events; /* as the kernel has them */
	uint64_t data;
	int32_t adder; /* the process that must add it, 0: any */
};

struct cr_epoll_items {
	struct cr_epoll_item *item;
	size_t n;
	uint32_t usecs, budget; /* of struct cr_epoll_params */
	bool prefer;
};

/* Its one event was delivered, and the program has not armed it again. */
static inline bool cr_epoll_disarmed(uint32_t events)
{
	return events & EPOLLONESHOT && !(events & (EPOLLERR | EPOLLHUP));
}

/* Records and reads it back; busy: of one with parameters. */
void cr_epoll_pack(struct cr_pack *p, void *items);
void cr_epoll_pack_busy(struct cr_pack *p, void *items);

/* epoll_restore.c: see struct cr_object_ops */
int cr_epoll_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		     struct cr_error *err);
int cr_epoll_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err);

#endif
