/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-mqueue.c - POSIX message queues */
#include <mqueue.h>

#include "state.h"

static char name[64];

static mqd_t queue(int flags)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	mqd_t q;

	snprintf(name, sizeof(name), "/state-%d", getpid());
	q = mq_open(name, O_CREAT | O_EXCL | flags, 0600, &a);
	CHECK(q >= 0);
	return q;
}

/* Empty: it is there again, with its sizes. */
STATE(mqueue_empty)
{
	mqd_t q = queue(O_RDWR | O_NONBLOCK);
	struct mq_attr a;
	char buf[100];

	checkpoint();
	CHECK(!mq_getattr(q, &a) && a.mq_maxmsg == 4 && a.mq_msgsize == 100);
	CHECK(a.mq_flags == O_NONBLOCK && a.mq_curmsgs == 0);
	CHECK(!mq_send(q, "x", 1, 3));
	CHECK(mq_receive(q, buf, sizeof(buf), NULL) == 1);
	CHECK(!mq_unlink(name));
}

/* Its messages are gone when it comes back. */
FAILS(mqueue_lost, "which had 1 messages")
{
	mqd_t q = queue(O_RDWR);

	CHECK(!mq_send(q, "x", 1, 3));
	checkpoint();
	CHECK(!mq_unlink(name));
}

REFUSED(mqueue_notify, "with a process to be notified")
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR1 };
	mqd_t q = queue(O_RDWR);

	CHECK(!mq_notify(q, &e));
	checkpoint();
	CHECK(!mq_unlink(name));
}

REFUSED(mqueue_removed, "a message queue that was removed")
{
	mqd_t q = queue(O_RDWR);

	CHECK(!mq_unlink(name));
	checkpoint();
	CHECK(!mq_send(q, "x", 1, 3));
}
