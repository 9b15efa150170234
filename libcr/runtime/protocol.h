/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protocol.h - what a requester and libcr's thread in a program tell each
 * other
 *
 * The requester listens on the abstract UNIX socket (SOCK_SEQPACKET)
 * "libcr-" + the token in 16 hexadecimal digits, and queues CR_SIGNUM at the
 * thread control->helper_tid with the token as value and CR_SIGNAL_MARK in
 * si_errno.  The thread connects; both check the other's credentials.  Each
 * message is one packet of struct cr_message:
 *
 *	requester		program
 *	REQUEST
 *				FORWARD   any number of times
 *	FORWARDED   after each
 *				BUSY (another request is on), or
 *				OMIT, FAILURE, or
 *				PREPARED  every callback called cr_checkpoint()
 *	QUIESCE
 *				READY or FAILURE
 *	RESUME or ABORT
 *
 * ABORT, or the end of the connection, may come at any time before RESUME.
 * After OMIT and a temporary FAILURE the program goes on by itself; after a
 * permanent one it waits for ABORT.
 */
#ifndef CR_PROTOCOL_H
#define CR_PROTOCOL_H

#include <stdint.h>

#define CR_SIGNUM 64		  /* SIGRTMAX, the kernel's number */
#define CR_SIGNAL_MARK 0x63725271 /* "crRq" */
#define CR_SOCKET_PREFIX "libcr-"

#define CR_PROTOCOL_VERSION 2
#define CR_MESSAGE_TEXT 4096

enum cr_message_type {
	CR_MESSAGE_REQUEST = 1, /* scope, target, signal, text: dest */
	CR_MESSAGE_QUIESCE,
	CR_MESSAGE_RESUME,
	CR_MESSAGE_ABORT,
	CR_MESSAGE_FORWARDED, /* code: 0, or why not */
	CR_MESSAGE_PREPARED = 101,
	CR_MESSAGE_READY,
	CR_MESSAGE_OMIT,
	CR_MESSAGE_FAILURE, /* code, user_code, text */
	CR_MESSAGE_BUSY,
	CR_MESSAGE_FORWARD, /* scope, target as the program sees them */
};

struct cr_message {
	uint32_t version, type;
	int32_t scope, target, signal;
	int32_t code; /* positive errno or CR_E* */
	uint32_t user_code;
	uint32_t reserved;
	char text[CR_MESSAGE_TEXT]; /* ends with '\0' */
};

#endif
