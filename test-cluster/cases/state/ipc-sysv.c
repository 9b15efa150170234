/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipc-sysv.c - System V shared memory, semaphores, message queues */
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "state.h"

#define SIZE (3 * 4096 + 100)

static struct shmid_ds stat_shm(int id)
{
	struct shmid_ds ds;

	CHECK(!shmctl(id, IPC_STAT, &ds));
	return ds;
}

/* A key that other cases and other runs do not have. */
static key_t own_key(int n)
{
	return (key_t)(0x51000000 + n * 0x10000 + getpid() % 0x10000);
}

/* With a key, attached twice, once for reading; removed by the program. */
STATE(sysv_shm)
{
	int id = shmget(own_key(1), SIZE, IPC_CREAT | IPC_EXCL | 0640);
	char *a, *b;

	CHECK(id >= 0);
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, SHM_RDONLY);
	CHECK(a != (char *)-1 && b != (char *)-1);
	strcpy(a + 5000, "shared");
	checkpoint();
	CHECK(!strcmp(b + 5000, "shared") && !a[0] && !a[SIZE - 1]);
	a[SIZE - 1] = 'x';
	CHECK(b[SIZE - 1] == 'x');
	CHECK(mprotect(b, 4096, PROT_READ | PROT_WRITE) == -1);
	CHECK(stat_shm(id).shm_nattch == 2);
	CHECK(stat_shm(id).shm_segsz == SIZE);
	CHECK(stat_shm(id).shm_perm.__key == own_key(1));
	CHECK((stat_shm(id).shm_perm.mode & 0777) == 0640);
	CHECK(stat_shm(id).shm_perm.uid == geteuid());
	CHECK(shmget(own_key(1), 0, 0) == id);
	CHECK(!shmdt(b) && stat_shm(id).shm_nattch == 1);
	CHECK(!shmctl(id, IPC_RMID, NULL));
	CHECK(!shmdt(a));
	CHECK(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }) == -1);
}

/* It is gone with the last that is attached. */
STATE(sysv_shm_removed)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	char *a = shmat(id, NULL, 0), *b;

	CHECK(a != (char *)-1);
	CHECK(!shmctl(id, IPC_RMID, NULL));
	strcpy(a, "kept");
	checkpoint();
	CHECK(!strcmp(a, "kept") && stat_shm(id).shm_nattch == 1);
	CHECK(stat_shm(id).shm_perm.mode & SHM_DEST);
	b = shmat(id, NULL, 0);
	CHECK(b != (char *)-1 && !strcmp(b, "kept"));
	CHECK(!shmdt(a) && !shmdt(b));
	CHECK(shmat(id, NULL, 0) == (void *)-1);
}

/* Several segments, and private and shared memory beside them. */
STATE(sysv_shm_many)
{
	int *anon = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int id[8], i, *at[8];

	for (i = 0; i < 8; i++) {
		id[i] = shmget(IPC_PRIVATE, 4096 * (i + 1), 0600);
		at[i] = shmat(id[i], NULL, 0);
		CHECK(at[i] != (void *)-1);
		at[i][1000 + i] = i + 7;
	}
	*anon = 99;
	checkpoint();
	CHECK(*anon == 99);
	for (i = 0; i < 8; i++) {
		CHECK(at[i][1000 + i] == i + 7 && !at[i][999]);
		CHECK(stat_shm(id[i]).shm_nattch == 1);
		CHECK(!shmctl(id[i], IPC_RMID, NULL) && !shmdt(at[i]));
	}
}

/* Between processes, one of which has it at another address. */
static int shm_id;

static void other(void)
{
	int *p = shmat(shm_id, NULL, 0);

	CHECK(p != (void *)-1);
	p[0] = 1;
	await_checkpoint();
	while (p[1] != 2)
		usleep(1000);
	p[0] = 3;
	CHECK(!shmdt(p));
}

STATE(sysv_shm_processes)
{
	int *p;
	pid_t pid;

	shm_id = shmget(IPC_PRIVATE, 4096, 0600);
	pid = child(other);
	CHECK(mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) != MAP_FAILED);
	p = shmat(shm_id, NULL, 0);
	CHECK(p != (void *)-1);
	while (*(volatile int *)p != 1)
		usleep(1000);
	checkpoint();
	CHECK(p[0] == 1);
	p[1] = 2;
	while (*(volatile int *)p != 3)
		usleep(1000);
	join(pid);
	CHECK(stat_shm(shm_id).shm_nattch == 1);
	CHECK(!shmctl(shm_id, IPC_RMID, NULL));
}

/* A part of it is read-only. */
STATE(sysv_shm_protected)
{
	int id = shmget(IPC_PRIVATE, 3 * 4096, 0600);
	char *a = shmat(id, NULL, 0);

	CHECK(a != (char *)-1);
	memset(a, 'm', 3 * 4096);
	CHECK(!mprotect(a + 4096, 4096, PROT_READ));
	checkpoint();
	CHECK(a[0] == 'm' && a[3 * 4096 - 1] == 'm' && a[4096] == 'm');
	a[0] = a[2 * 4096] = 'n';
	CHECK(read(open("/dev/zero", O_RDONLY), a + 4096, 1) == -1 &&
	      errno == EFAULT);
	CHECK(!shmdt(a));
	CHECK(stat_shm(id).shm_nattch == 0 && !shmctl(id, IPC_RMID, NULL));
}

REFUSED(sysv_shm_outside, "is also attached by a process that is not")
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	CHECK(shmat(id, NULL, 0) != (void *)-1);
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			await_checkpoint();
		_exit(0);
	}
	wait(NULL);
	CHECK(!shmctl(id, IPC_RMID, NULL));
	checkpoint();
}

REFUSED(sysv_shm_part, "was unmapped in part")
{
	int id = shmget(IPC_PRIVATE, 2 * 4096, 0600);
	char *a = shmat(id, NULL, 0);

	CHECK(a != (char *)-1 && !munmap(a + 4096, 4096));
	CHECK(!shmctl(id, IPC_RMID, NULL));
	checkpoint();
}

static int op(int id, int n, int by, int flags)
{
	struct sembuf b = { (unsigned short)n, (short)by, (short)flags };

	return semop(id, &b, 1);
}

STATE(sysv_sem)
{
	int id = semget(own_key(2), 3, IPC_CREAT | IPC_EXCL | 0600);

	CHECK(id >= 0 && !op(id, 0, 5, 0) && !op(id, 2, 1, 0));
	CHECK(!op(id, 0, -2, 0));
	checkpoint();
	CHECK(semctl(id, 0, GETVAL) == 3 && semctl(id, 1, GETVAL) == 0 &&
	      semctl(id, 2, GETVAL) == 1);
	CHECK(semctl(id, 0, GETPID) == getpid());
	CHECK(semctl(id, 1, GETPID) == 0);
	CHECK(semget(own_key(2), 0, 0) == id);
	CHECK(op(id, 1, -1, IPC_NOWAIT) == -1 && errno == EAGAIN);
	CHECK(!op(id, 2, -1, IPC_NOWAIT));
	CHECK(!semctl(id, 0, IPC_RMID));
}

/* One waits for the other. */
static int sem_id;

static void waiter(void)
{
	CHECK(!op(sem_id, 1, 1, 0));
	CHECK(!op(sem_id, 0, -1, 0));
}

STATE(sysv_sem_waiting)
{
	pid_t pid;

	sem_id = semget(IPC_PRIVATE, 2, 0600);
	pid = child(waiter);
	CHECK(!op(sem_id, 1, -1, 0));
	while (semctl(sem_id, 0, GETNCNT) != 1)
		usleep(1000);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	while (semctl(sem_id, 0, GETNCNT) != 1)
		usleep(1000);
	CHECK(semctl(sem_id, 0, GETVAL) == 0);
	CHECK(!op(sem_id, 0, 1, 0));
	join(pid);
	CHECK(!semctl(sem_id, 0, IPC_RMID));
}

/* What the end of a process takes back, up and down, large and small. */
static void undoer(void)
{
	CHECK(!op(sem_id, 0, 1, SEM_UNDO));	/* to be undone: -1 */
	CHECK(!op(sem_id, 1, -1, SEM_UNDO));	/* +1 */
	CHECK(!op(sem_id, 2, -4000, SEM_UNDO)); /* +4000 */
	CHECK(!op(sem_id, 3, 30000, SEM_UNDO));
	CHECK(!op(sem_id, 3, 2767, SEM_UNDO));	/* -32767 */
	CHECK(!op(sem_id, 4, 5, SEM_UNDO) && !op(sem_id, 4, -5, SEM_UNDO));
	CHECK(!op(sem_id, 5, 1, 0));
	await_checkpoint();
}

STATE(sysv_sem_undo)
{
	pid_t pid;

	sem_id = semget(IPC_PRIVATE, 6, 0600);
	CHECK(!op(sem_id, 1, 1, 0) && !op(sem_id, 2, 5000, 0));
	pid = child(undoer);
	CHECK(!op(sem_id, 5, -1, 0));
	CHECK(!op(sem_id, 0, 3, 0));
	checkpoint();
	join(pid);
	CHECK(semctl(sem_id, 0, GETVAL) == 3);
	CHECK(semctl(sem_id, 1, GETVAL) == 1);
	CHECK(semctl(sem_id, 2, GETVAL) == 5000);
	CHECK(semctl(sem_id, 3, GETVAL) == 0);
	CHECK(semctl(sem_id, 4, GETVAL) == 0);
	CHECK(!semctl(sem_id, 0, IPC_RMID));
}

/* Its values are seen before that, too, and who was the last. */
STATE(sysv_sem_undo_values)
{
	int id = semget(IPC_PRIVATE, 2, 0600);

	CHECK(!op(id, 0, 7, SEM_UNDO) && !op(id, 1, 1, 0));
	CHECK(!op(id, 0, -2, SEM_UNDO));
	checkpoint();
	CHECK(semctl(id, 0, GETVAL) == 5 && semctl(id, 1, GETVAL) == 1);
	CHECK(semctl(id, 0, GETPID) == getpid());
	CHECK(!semctl(id, 0, IPC_RMID));
}

/* Threads have adjustments in common. */
static void *undo_thread(void *arg)
{
	CHECK(!op(sem_id, 0, 2, SEM_UNDO));
	return NULL;
}

static void threads_undo(void)
{
	pthread_t t;

	CHECK(!pthread_create(&t, NULL, undo_thread, NULL));
	CHECK(!pthread_join(t, NULL) && !op(sem_id, 0, 1, SEM_UNDO));
	CHECK(!op(sem_id, 1, 1, 0));
	await_checkpoint();
	CHECK(semctl(sem_id, 0, GETVAL) == 4);
}

STATE(sysv_sem_undo_threads)
{
	pid_t pid;

	sem_id = semget(IPC_PRIVATE, 2, 0600);
	CHECK(!op(sem_id, 0, 1, 0));
	pid = child(threads_undo);
	CHECK(!op(sem_id, 1, -1, 0));
	checkpoint();
	join(pid);
	CHECK(semctl(sem_id, 0, GETVAL) == 1);
	CHECK(!semctl(sem_id, 0, IPC_RMID));
}

/* Others share nothing of the kind. */
static int undo_clone(void *arg)
{
	await_checkpoint();
	return 0;
}

LATE(sysv_sem_undo_shared, "shares adjustments of semaphores")
{
	static char stack[65536];
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid;

	CHECK(!op(id, 0, 1, SEM_UNDO));
	pid = clone(undo_clone, stack + sizeof(stack), CLONE_SYSVSEM | SIGCHLD,
		    NULL);
	CHECK(pid > 0);
	checkpoint();
	join(pid);
	CHECK(!semctl(id, 0, IPC_RMID));
}

REFUSED(sysv_sem_outside, "is also used by process")
{
	int id = semget(IPC_PRIVATE, 2, 0600), i;

	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			CHECK(!op(id, 0, 1, 0));
			await_checkpoint();
		}
		_exit(0);
	}
	wait(NULL);
	for (i = 0; i < 5000 && semctl(id, 0, GETVAL) != 1; i++)
		usleep(1000);
	CHECK(!op(id, 1, 1, 0));
	checkpoint();
	CHECK(!semctl(id, 0, IPC_RMID));
}

struct text {
	long type;
	char text[3000];
};

static void send_text(int id, long type, const char *text, size_t n)
{
	struct text m = { .type = type };

	memcpy(m.text, text, n);
	CHECK(!msgsnd(id, &m, n, IPC_NOWAIT));
}

static void get_text(int id, long type, const char *text, size_t n)
{
	struct text m = { 0 };

	CHECK(msgrcv(id, &m, sizeof(m.text), type, IPC_NOWAIT) == (ssize_t)n);
	CHECK(!memcmp(m.text, text, n) && (!type || m.type == type));
}

/* Messages of several types, in their order; an empty one, a long one. */
STATE(sysv_msg)
{
	int id = msgget(own_key(3), IPC_CREAT | IPC_EXCL | 0600);
	struct msqid_ds ds;
	struct text more;
	char big[3000];

	memset(big, 'b', sizeof(big));
	CHECK(id >= 0);
	send_text(id, 5, "five", 4);
	send_text(id, 9, big, sizeof(big));
	send_text(id, 5, "five again", 10);
	send_text(id, 1, "", 0);
	get_text(id, 5, "five", 4);
	checkpoint();
	CHECK(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 3);
	CHECK(ds.msg_lspid == getpid() && ds.msg_lrpid == getpid());
	CHECK(msgget(own_key(3), 0) == id);
	get_text(id, 5, "five again", 10);
	get_text(id, 0, big, sizeof(big));
	get_text(id, 0, "", 0);
	CHECK(msgrcv(id, &more, 1, 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
	send_text(id, 2, "new", 3);
	get_text(id, 2, "new", 3);
	CHECK(!msgctl(id, IPC_RMID, NULL));
}

/* One waits for a message of its type. */
static int msg_id;

static void receiver(void)
{
	struct text m;

	send_text(msg_id, 1, "here", 4);
	CHECK(msgrcv(msg_id, &m, sizeof(m.text), 7, 0) == 2);
	CHECK(!memcmp(m.text, "go", 2));
}

STATE(sysv_msg_waiting)
{
	struct text m;
	pid_t pid;

	msg_id = msgget(IPC_PRIVATE, 0600);
	pid = child(receiver);
	CHECK(msgrcv(msg_id, &m, sizeof(m.text), 1, 0) == 4);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	send_text(msg_id, 3, "other", 5);
	send_text(msg_id, 7, "go", 2);
	join(pid);
	get_text(msg_id, 3, "other", 5);
	CHECK(!msgctl(msg_id, IPC_RMID, NULL));
}
