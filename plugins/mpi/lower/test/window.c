/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * window.c - signals at each instruction of trampoline.S, under checkpoints
 *
 * "window program DIR" has a thread for each place, which waits inside the
 * lower half.  "window drive DIR" finds the instructions of trampoline.S that a
 * signal runs through, by single steps.  Then it puts a thread at each of
 * them (a jump to itself in its place), sends it a second signal, and has
 * the program checkpointed, go on, killed and restarted.  Each time each
 * handler must have run exactly twice, in order, and the thread must have
 * its own mask, alternate stack and rounding mode.
 *
 * A jump has two bytes and some instructions have one, so that every other
 * instruction is occupied at a time.
 */
#include <fenv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "mpi/lower/deliver.h"
#include "mpi/lower/test/held.h"

#define THREADS 32
#define SIGNAL (SIGRTMIN + 3)
#define STACK 65536
#define AUTODISARM (1 << 31) /* SS_AUTODISARM */

struct state {
	atomic_int up; /* restarts, once the program is up again */
	struct {
		int tid;
		atomic_int n; /* signals handled */
		atomic_int last; /* value of the last one */
		atomic_int wrong;
	} thread[THREADS];
	uint64_t from, to; /* text of trampoline.S */
};

/* ---- the program ---- */

static struct state state;
static int talk[2];
static ssize_t (*lower_read)(int, void *, size_t);
static __thread int me;

static void handle(int sig, siginfo_t *info, void *context)
{
	if (info->si_value.sival_int != state.thread[me].last + 1)
		state.thread[me].wrong++;
	state.thread[me].last = info->si_value.sival_int;
	state.thread[me].n++;
}

static void *wait_inside(void *arg)
{
	stack_t stack = { .ss_size = STACK, .ss_flags = AUTODISARM };
	stack_t now;
	char byte = 0;
	ssize_t n;

	me = (int)(long)arg;
	stack.ss_sp = malloc(STACK);
	CHECK(stack.ss_sp && !sigaltstack(&stack, NULL));
	fesetround(FE_UPWARD);
	/* one that jumps to itself is to be less in the way of others */
	CHECK(!setpriority(PRIO_PROCESS, (id_t)gettid(), 5));
	cross();
	state.thread[me].tid = gettid();
	ROLL_BACK_TO_HERE();
	border();
	n = CR_LOWER(lower_read(talk[0], &byte, 1));
	slot->active = 0;
	CHECK(n == 1 && byte == 'x');
	CHECK(fegetround() == FE_UPWARD && !sigaltstack(NULL, &now));
	CHECK(now.ss_sp == stack.ss_sp && now.ss_size == STACK &&
	      now.ss_flags == AUTODISARM);
	return NULL;
}

static void bring_up(void)
{
	const char *gs = getenv("CR_MPI_GS");

	CHECK(!cr_lower_boot(NULL, environ, NULL));
	if (!gs || strcmp(gs, "0"))
		cr_lower_settled();
	CHECK((lower_read = cr_lower_symbol("read")));
}

static void resume(void *arg, int outcome)
{
	if (outcome == CR_OUTCOME_RESTARTED) {
		CHECK(!cr_lower_abandon(true));
		bring_up();
		state.up++;
	} else {
		cr_lower_release();
	}
	atomic_store(&closed, 0);
}

static const struct cr_coordinator coordinator = { quiesce, resume };

static void be_program(void)
{
	struct sigaction act = { .sa_sigaction = handle,
				 .sa_flags = SA_SIGINFO | SA_RESTART |
					     SA_ONSTACK };
	pthread_t t[THREADS];
	sigset_t some;
	long i;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	setvbuf(stdout, NULL, _IOLBF, 0);
	CHECK(!cr_register_coordinator(&coordinator, NULL));
	CHECK(!pipe2(talk, O_CLOEXEC));
	bring_up();
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &some, NULL);
	CHECK(!sigaction(SIGNAL, &act, NULL));
	state.from = (uint64_t)cr_deliver_code - 64; /* with what leads to it */
	state.to = (uint64_t)cr_deliver_code_end + 64;
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, wait_inside, (void *)i));
	printf("%d %p\n", getpid(), (void *)&state);
	while (access("end", F_OK) < 0)
		usleep(10000);
	for (i = 0; i < THREADS; i++)
		CHECK(write(talk[1], "x", 1) == 1);
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_join(t[i], NULL));
	printf("end after %d restarts\n", state.up);
}

/* ---- the driver ---- */

static pid_t pid;
static void *state_at;
static uint64_t place[THREADS * 2];
static unsigned char was[THREADS * 2][2];
static int n_places, mem = -1;

#define WAIT_FOR(condition)                              \
	do {                                             \
		int tries_;                              \
		for (tries_ = 0; !(condition); tries_++) { \
			CHECK(tries_ < 30000 || !#condition); \
			usleep(1000);                    \
		}                                        \
	} while (0)

static bool look(struct state *s)
{
	struct iovec mine = { s, sizeof(*s) };
	struct iovec theirs = { state_at, sizeof(*s) };

	return process_vm_readv(pid, &mine, 1, &theirs, 1, 0) == sizeof(*s);
}

static void open_memory(void)
{
	char path[64];

	if (mem >= 0)
		close(mem);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	CHECK((mem = open(path, O_RDWR | O_CLOEXEC)) >= 0);
}

static void send_signal(int tid, int value)
{
	siginfo_t info = { .si_signo = SIGNAL, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_value.sival_int = value;
	CHECK(!syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGNAL, &info));
}

static uint64_t rip_of(int tid)
{
	struct user_regs_struct regs;
	int status;

	CHECK(!ptrace(PTRACE_SEIZE, tid, 0, 0));
	CHECK(!ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	for (;;) {
		CHECK(waitpid(tid, &status, __WALL) == tid);
		CHECK(WIFSTOPPED(status));
		if (status >> 16 == PTRACE_EVENT_STOP)
			break;
		CHECK(!ptrace(PTRACE_INTERRUPT, tid, 0, 0));
		CHECK(!ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status)));
	}
	CHECK(!ptrace(PTRACE_GETREGS, tid, 0, &regs));
	CHECK(!ptrace(PTRACE_DETACH, tid, 0, 0));
	return regs.rip;
}

/* A field of /proc/PID/task/TID/status in hexadecimal. */
static uint64_t status_of(int tid, const char *name)
{
	unsigned long long value = ~0ULL;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	CHECK((f = fopen(path, "re")));
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	fclose(f);
	return value;
}

static bool at_rest(int tid)
{
	return status_of(tid, "SigBlk") == 1ULL << (SIGUSR2 - 1) &&
	       !status_of(tid, "SigPnd");
}

/* The places that a signal goes through, in order. */
static void find_places(void)
{
	struct user_regs_struct regs;
	struct state s;
	int tid, status, sig, phase = 0;

	CHECK(look(&s));
	tid = s.thread[0].tid;
	CHECK(!ptrace(PTRACE_SEIZE, tid, 0, 0));
	send_signal(tid, s.thread[0].last + 1);
	CHECK(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status));
	CHECK(WSTOPSIG(status) == SIGNAL);
	sig = SIGNAL;
	n_places = 0;
	/* in, somewhere else, and out */
	while (phase < 5) {
		CHECK(!ptrace(PTRACE_SINGLESTEP, tid, 0, sig));
		sig = 0;
		CHECK(waitpid(tid, &status, __WALL) == tid);
		CHECK(WIFSTOPPED(status));
		CHECK(!ptrace(PTRACE_GETREGS, tid, 0, &regs));
		if (regs.rip - s.from < s.to - s.from) {
			phase |= 1;
			CHECK(n_places < THREADS * 2);
			CHECK(phase == 1 || phase == 3);
			place[n_places++] = regs.rip;
		} else {
			phase += phase & 1;
		}
		if (phase == 4)
			break;
	}
	CHECK(!ptrace(PTRACE_DETACH, tid, 0, 0));
	WAIT_FOR(look(&s) && at_rest(tid));
}

static void occupy(int first)
{
	static const unsigned char here[2] = { 0xeb, 0xfe }; /* jmp . */
	struct state s;
	int i, tid;

	CHECK(look(&s));
	for (i = n_places - 1; i >= 0; i--) {
		if (i % 2 != first)
			continue;
		tid = s.thread[i / 2].tid;
		CHECK(pread(mem, was[i], 2, (off_t)place[i]) == 2);
		CHECK(pwrite(mem, here, 2, (off_t)place[i]) == 2);
		send_signal(tid, s.thread[i / 2].last + 1);
		WAIT_FOR(rip_of(tid) == place[i]);
		send_signal(tid, s.thread[i / 2].last + 2);
	}
}

static void set_free(int first)
{
	int i;

	for (i = 0; i < n_places; i++)
		if (i % 2 == first)
			CHECK(pwrite(mem, was[i], 2, (off_t)place[i]) == 2);
}

static void check(const struct state *before, int used)
{
	struct state s;
	int i, tid;

	for (i = 0; i < THREADS; i++) {
		tid = before->thread[i].tid;
		WAIT_FOR(look(&s) && at_rest(tid) &&
			 s.thread[i].n - before->thread[i].n ==
				 (i < used ? 2 : 0));
		CHECK(!s.thread[i].wrong);
	}
}

static pid_t start(const char *program, const char *file)
{
	char number[16];
	pid_t child;

	snprintf(number, sizeof(number), "%d", pid);
	child = fork();
	CHECK(child >= 0);
	if (child)
		return child;
	execlp(program, program, "-f", file, file ? number : NULL, NULL);
	_exit(127);
}

static void checkpoint(const char *file)
{
	pid_t child = start("cr_checkpoint", file);
	int status;

	CHECK(waitpid(child, &status, 0) == child && !status);
}

static void drive(void)
{
	struct state before, s;
	pid_t restart = 0;
	char file[32];
	FILE *f = fopen("out", "re");
	int round, used, i;

	CHECK(f && fscanf(f, "%d %p", &pid, &state_at) == 2);
	fclose(f);
	open_memory();
	for (i = 0; i < THREADS; i++)
		WAIT_FOR(look(&s) && s.thread[i].tid &&
			 at_rest(s.thread[i].tid));
	find_places();
	for (round = 0; round < 2; round++) {
		used = (n_places + 1 - round) / 2;
		CHECK(look(&before));
		occupy(round);
		snprintf(file, sizeof(file), "context.%d", round);
		checkpoint(file);
		set_free(round);
		check(&before, used);
		CHECK(!kill(pid, SIGKILL));
		if (restart)
			CHECK(waitpid(restart, NULL, 0) == restart);
		WAIT_FOR(kill(pid, 0) < 0);
		restart = fork();
		CHECK(restart >= 0);
		if (!restart) {
			execlp("cr_restart", "cr_restart", file, NULL);
			_exit(127);
		}
		WAIT_FOR(look(&s) && s.up == round + 1);
		open_memory();
		set_free(round);
		check(&before, used);
		printf("round %d: %d places\n", round, used);
	}
	close(open("end", O_CREAT | O_CLOEXEC, 0600));
	CHECK(waitpid(restart, &i, 0) == restart && !i);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3 && !chdir(argv[2]));
	if (!strcmp(argv[1], "program"))
		be_program();
	else
		drive();
	return 0;
}
