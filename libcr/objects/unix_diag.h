/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix_diag.h - what the kernel tells of a UNIX socket (sock_diag(7)) */
#ifndef CR_UNIX_DIAG_H
#define CR_UNIX_DIAG_H

#include <stdint.h>

#define CR_UNIX_ICONS 4096

struct cr_unix_diag {
	uint8_t type, state; /* SOCK_*; TCP_* of <netinet/tcp.h> */
	uint8_t shutdown;    /* bit 0 receiving, bit 1 sending */
	uint32_t peer;	     /* inode of the other end; 0: none or unowned */
	uint32_t rqueue;     /* bytes to be read; listening: see icons */
	uint32_t wqueue;     /* not read by the peer; listening: backlog */
	uint32_t file_ino, file_dev; /* of the file that it is bound to; 0 */
	/* listening: the sockets whose connections wait to be accepted */
	uint32_t icons[CR_UNIX_ICONS], n_icons;
};

/* 0 or -errno; -ENOENT: no such socket in our network namespace. */
int cr_unix_diag(uint64_t ino, struct cr_unix_diag *d);
/* The inode of the other end; 0 if there is none or it cannot be told. */
uint32_t cr_unix_peer(uint64_t ino);

#endif
