/*
 * src/server/sp_child_process.c
 */
#include "server/sp_compat.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "server/sp_child_process.h"

#define HEAD_SIZE 1024			/* bytes that are kept of error messages: their beginning, which may say why */
#define TAIL_SIZE 2048			/* and their end, which may show a long statement */
#define TERM_PATIENCE_MS 3000	/* from SIGTERM to SIGKILL */
#define LOOK_MS 1000			/* how often it is looked whether a silent program has ended */
#define LEFT_OPEN_LOOKS 10		/* that find it ended before its pipes are given up */
#define EXEC_FAILED 127			/* as shells say it */
#define N_PIPES 3
#define OUTPUT_ROOM (64 * 1024)	/* of its pipe, from the first read */

struct SpChild
{
	MemoryContext mcx;			/* has all of this; its end is the child's */
	MemoryContextCallback callback;
	const char *name;
	pid_t		pid;			/* 0: gone and waited for */
	int			input;			/* our ends; -1: closed */
	int			output;
	int			errors;
	int			left_open;		/* looks in a row that found it ended, and nothing on its pipes */
	bool		narrow;			/* its output has room for a page */
	bool		refused;		/* it closed its input before it had everything */
	bool		ended;
	int			status;			/* as waitpid gives it */
	Size		head_size;
	Size		tail_size;
	bool		cut;			/* something between them is lost */
	char		head[HEAD_SIZE];
	char		tail[TAIL_SIZE];
};

/* ---- the end ---- */

static void
close_pipe(int *fd)
{
	if (*fd < 0)
		return;
	(void) close(*fd);
	*fd = -1;
	ReleaseExternalFD();
}

static bool
has_ended(SpChild *child, int *status)
{
	pid_t		ended = waitpid(child->pid, status, WNOHANG);

	if (ended == 0 || (ended < 0 && errno == EINTR))
		return false;
	if (ended < 0)
		*status = 255 << 8;		/* somebody else has waited for it: whether it succeeded is not known */
	child->pid = 0;
	return true;
}

/* The programs that we run undo what they can on SIGTERM, as in cancelling their query. */
static void
kill_group(SpChild *child)
{
	pid_t		group = child->pid;
	int			status;

	(void) killpg(group, SIGTERM);
	for (int waited = 0; waited < TERM_PATIENCE_MS && !has_ended(child, &status); waited++)
		pg_usleep(1000L);
	(void) killpg(group, SIGKILL);
	while (child->pid != 0 && !has_ended(child, &status))
		pg_usleep(1000L);
}

/* Called when the memory goes. */
static void
release(void *arg)
{
	SpChild    *child = arg;

	close_pipe(&child->input);
	close_pipe(&child->output);
	close_pipe(&child->errors);
	if (child->pid != 0)
		kill_group(child);
}

/* ---- the start ---- */

/* In the new process: only what is safe after a fork, until exec. */
static void SP_NORETURN
become(char *const argv[], char *const envp[], const int *ends, pid_t parent)
{
	struct sigaction action;
	sigset_t	none;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	for (int number = 1; number < NSIG; number++)
		(void) sigaction(number, &action, NULL);
	(void) setpgid(0, 0);
#ifdef __linux__
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXEC_FAILED);
#else
	(void) parent;
#endif
	/* ends are above 2, so that none is overwritten */
	for (int i = 0; i < N_PIPES; i++)
		if (dup2(ends[i], i) < 0)
			_exit(EXEC_FAILED);
#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0)
#endif
		for (long fd = sysconf(_SC_OPEN_MAX) - 1; fd > 2; fd--)
			(void) close((int) fd);
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) execve(argv[0], argv, envp);
	_exit(EXEC_FAILED);
}

/* One pipe: ours stays here, theirs is for the child, above the standard numbers. */
static void
make_pipe(int *ours, int *theirs, bool child_reads)
{
	int			ends[2];

	if (pipe(ends) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not make a pipe: %m")));
	*ours = ends[child_reads ? 1 : 0];
	*theirs = fcntl(ends[child_reads ? 0 : 1], F_DUPFD, 3);
	(void) close(ends[child_reads ? 0 : 1]);
	ReserveExternalFD();
	if (*theirs < 0 || fcntl(*ours, F_SETFD, FD_CLOEXEC) != 0 || fcntl(*ours, F_SETFL, O_NONBLOCK) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not set up a pipe: %m")));
}

/* Best effort, for a limit of the user may forbid more than a page. */
static void
set_room(SpChild *child, int bytes)
{
	child->narrow = bytes < OUTPUT_ROOM;
#ifdef F_SETPIPE_SZ
	(void) fcntl(child->output, F_SETPIPE_SZ, bytes);
#endif
}

static void
widen(SpChild *child)
{
	if (child->narrow)
		set_room(child, OUTPUT_ROOM);
}

static void
fork_child(SpChild *child, char *const argv[], char *const envp[], const int *ends)
{
	pid_t		parent = getpid();
	sigset_t	all;
	sigset_t	before;
	pid_t		pid;

	/* a handler of ours must not run in the child: it would set latches of the parent */
	(void) sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(argv, envp, ends, parent);
	child->pid = pid > 0 ? pid : 0;
	if (pid > 0)
		(void) setpgid(pid, pid);	/* so that it is done when we return; fails after its exec */
	(void) sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start %s: %m", child->name)));
}

SpChild *
sp_child_start(const char *name, char *const argv[], char *const envp[])
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch child", ALLOCSET_SMALL_SIZES);
	SpChild    *child = MemoryContextAllocZero(mcx, sizeof(SpChild));
	int			ends[N_PIPES] = {-1, -1, -1};

	if (access(argv[0], X_OK) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("cannot execute %s: %m", name),
				 errdetail("It is expected as \"%s\".", argv[0])));
	child->mcx = mcx;
	child->name = MemoryContextStrdup(mcx, name);
	child->input = child->output = child->errors = -1;
	child->callback.func = release;
	child->callback.arg = child;
	MemoryContextRegisterResetCallback(mcx, &child->callback);
	PG_TRY();
	{
		make_pipe(&child->input, &ends[0], true);
		make_pipe(&child->output, &ends[1], false);
		make_pipe(&child->errors, &ends[2], false);
		set_room(child, 1);		/* the system makes a page of it */
		fork_child(child, argv, envp, ends);
	}
	PG_FINALLY();
	{
		for (int i = 0; i < N_PIPES; i++)
			if (ends[i] >= 0)
				(void) close(ends[i]);
	}
	PG_END_TRY();
	return child;
}

/* ---- bytes ---- */

/* It stays a zombie, so that its group can be killed. */
static bool
is_zombie(const SpChild *child)
{
	siginfo_t	info;

	info.si_pid = 0;
	return waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid;
}

/* What it has started may still write the rest; what never does is silent. */
static void
look_after(SpChild *child)
{
	child->left_open = is_zombie(child) ? child->left_open + 1 : 0;
	if (child->left_open >= LEFT_OPEN_LOOKS)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%s has ended, but something that it started keeps its output open", child->name),
				 errhint("A program that goes on in the background must close its standard input and output.")));
}

/* Wait until a pipe of these can go on, or for an interrupt. */
static void
wait_for(SpChild *child, bool want_input)
{
	WaitEventSet *set = create_wait_set_compat(2 + N_PIPES);
	WaitEvent	event;
	bool		silent;

	(void) AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	(void) AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (want_input && child->input >= 0)
		(void) AddWaitEventToSet(set, WL_SOCKET_WRITEABLE, child->input, NULL, NULL);
	if (child->output >= 0)
		(void) AddWaitEventToSet(set, WL_SOCKET_READABLE, child->output, NULL, NULL);
	if (child->errors >= 0)
		(void) AddWaitEventToSet(set, WL_SOCKET_READABLE, child->errors, NULL, NULL);
	silent = WaitEventSetWait(set, LOOK_MS, &event, 1, PG_WAIT_EXTENSION) == 0;
	FreeWaitEventSet(set);
	if (silent)
		look_after(child);
	else if (event.events != WL_LATCH_SET)
		child->left_open = 0;
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* What a pipe has now: -1 nothing yet, 0 its end, which closes it. */
static ssize_t
read_some(int *fd, char *bytes, Size size)
{
	ssize_t		got;

	do
		got = read(*fd, bytes, size);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -1;
	if (got <= 0)
	{
		close_pipe(fd);
		return 0;
	}
	return got;
}

static void
keep_errors(SpChild *child, const char *bytes, Size size)
{
	Size		first = Min(size, HEAD_SIZE - child->head_size);
	Size		kept;

	memcpy(child->head + child->head_size, bytes, first);
	child->head_size += first;
	bytes += first;
	size -= first;
	kept = Min(child->tail_size, TAIL_SIZE - Min(size, TAIL_SIZE));
	child->cut = child->cut || kept < child->tail_size || size > TAIL_SIZE;
	memmove(child->tail, child->tail + child->tail_size - kept, kept);
	bytes += size - Min(size, TAIL_SIZE);
	size = Min(size, TAIL_SIZE);
	memcpy(child->tail + kept, bytes, size);
	child->tail_size = kept + size;
}

static void
read_errors(SpChild *child)
{
	char		bytes[1024];
	ssize_t		got;

	while (child->errors >= 0 && (got = read_some(&child->errors, bytes, sizeof(bytes))) > 0)
		keep_errors(child, bytes, (Size) got);
}

void
sp_child_await(SpChild *child)
{
	struct pollfd output = {.fd = child->output, .events = POLLIN};

	while (poll(&output, 1, 0) <= 0)
	{
		read_errors(child);
		wait_for(child, false);
	}
}

Size
sp_child_read(SpChild *child, char *bytes, Size size)
{
	widen(child);
	while (child->output >= 0)
	{
		ssize_t		got = read_some(&child->output, bytes, size);

		if (got >= 0)
			return (Size) got;
		read_errors(child);
		wait_for(child, false);
	}
	return 0;
}

/* Hand over what it has printed; false when there was nothing. */
static bool
take_some(SpChild *child, SpChildTake take, void *arg)
{
	char		bytes[16 * 1024];
	ssize_t		got;

	widen(child);
	got = child->output >= 0 ? read_some(&child->output, bytes, sizeof(bytes)) : -1;
	if (got > 0 && take != NULL)
		take(arg, bytes, (Size) got);
	return got > 0;
}

void
sp_child_write(SpChild *child, const char *bytes, Size size, SpChildTake take, void *arg)
{
	while (size > 0 && child->input >= 0)
	{
		ssize_t		done = write(child->input, bytes, size);

		if (done > 0)
		{
			bytes += done;
			size -= (Size) done;
		}
		else if (done < 0 && errno == EPIPE)
		{
			child->refused = true;
			close_pipe(&child->input);
		}
		else if (done < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to %s: %m", child->name)));
		else
		{
			read_errors(child);
			if (!take_some(child, take, arg))
				wait_for(child, true);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

void
sp_child_drain(SpChild *child, SpChildTake take, void *arg)
{
	close_pipe(&child->input);
	while (child->output >= 0)
	{
		read_errors(child);
		if (!take_some(child, take, arg) && child->output >= 0)
			wait_for(child, false);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- how it ended ---- */

bool
sp_child_took_all(const SpChild *child)
{
	return !child->refused;
}

/* Error messages of programs may be in any encoding, and cut off anywhere. */
static void
append_safe(StringInfo text, const char *bytes, Size size)
{
	for (Size i = 0; i < size; i++)
	{
		char		c = bytes[i];

		appendStringInfoChar(text, c == '\n' || c == '\t' || (c >= ' ' && c < 0x7f) ? c : '?');
	}
}

static char *
safe_errors(const SpChild *child)
{
	StringInfoData text;

	initStringInfo(&text);
	append_safe(&text, child->head, child->head_size);
	if (child->cut)
		appendStringInfoString(&text, " ... ");
	append_safe(&text, child->tail, child->tail_size);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	return text.data;
}

bool
sp_child_ends_within(SpChild *child, double milliseconds)
{
	instr_time	start;
	instr_time	waited;

	INSTR_TIME_SET_CURRENT(start);
	INSTR_TIME_SET_ZERO(waited);
	while (!child->ended && INSTR_TIME_GET_MILLISEC(waited) < milliseconds)
	{
		read_errors(child);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		child->ended = has_ended(child, &child->status);
		INSTR_TIME_SET_CURRENT(waited);
		INSTR_TIME_SUBTRACT(waited, start);
	}
	return child->ended;
}

char *
sp_child_end(SpChild *child)
{
	char	   *why = NULL;
	const char *said;

	close_pipe(&child->input);
	close_pipe(&child->output);
	/* not until its error messages end: something that it left running may have them open */
	while (!sp_child_ends_within(child, 1000))
		;
	read_errors(child);
	said = safe_errors(child);
	if (WIFSIGNALED(child->status))
		why = psprintf("%s was ended by signal %d%s%s", child->name, WTERMSIG(child->status), *said ? ": " : "", said);
	else if (child->status != 0)
		why = psprintf("%s ended with code %d%s%s", child->name, WEXITSTATUS(child->status), *said ? ": " : "", said);
	MemoryContextDelete(child->mcx);
	return why;
}

void
sp_child_kill(SpChild *child)
{
	if (child->pid != 0)
		(void) killpg(child->pid, SIGKILL);
	MemoryContextDelete(child->mcx);
}

void
sp_child_finish(SpChild *child)
{
	char	   *name = pstrdup(child->name);
	char	   *why = sp_child_end(child);

	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%s failed", name),
				 errdetail_internal("%s", why)));
}
