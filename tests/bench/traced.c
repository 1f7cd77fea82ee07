/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a helper that is built with -finstrument-functions enters, for
 * tests/bench/trace: the distance of each function from traced_here, and a
 * mark for each connection, each piece of a request and each piece of an
 * answer.
 *
 * MAILTOKEN_TRACE names the file; it is mapped before main() closes the
 * sandbox.  The first number in it is how many follow.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNTRACED __attribute__((no_instrument_function))
#define ROOM	 ((size_t)1 << 20)

/* No function is so far away. */
enum {
	ACCEPTED = INT32_MAX - 2,
	RECEIVED,
	SENT
};

int __real_accept4(int fd, struct sockaddr *address, socklen_t *n, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t n, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t n, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *n, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags);
void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);
void traced_here(void);

static int32_t *trace;

UNTRACED __attribute__((constructor)) void traced_here(void)
{
	const char *path = getenv("MAILTOKEN_TRACE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0 || ftruncate(fd, ROOM * sizeof(*trace)) != 0)
		abort();
	mapped = mmap(NULL, ROOM * sizeof(*trace), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		abort();
	trace = mapped;
	(void)close(fd);
}

UNTRACED static void note(int32_t what)
{
	if (trace != NULL && (size_t)trace[0] + 1 < ROOM)
		trace[++trace[0]] = what;
}

UNTRACED void __cyg_profile_func_enter(void *function, void *caller)
{
	(void)caller;
	note((int32_t)((char *)function - (char *)traced_here));
}

UNTRACED void __cyg_profile_func_exit(void *function, void *caller)
{
	(void)function;
	(void)caller;
}

UNTRACED int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *n,
    int flags)
{
	int accepted = __real_accept4(fd, address, n, flags);

	if (accepted >= 0)
		note(ACCEPTED);
	return accepted;
}

UNTRACED ssize_t __wrap_recv(int fd, void *bytes, size_t n, int flags)
{
	ssize_t received = __real_recv(fd, bytes, n, flags);

	if (received > 0)
		note(RECEIVED);
	return received;
}

UNTRACED ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags)
{
	ssize_t sent = __real_send(fd, bytes, n, flags);

	if (sent > 0)
		note(SENT);
	return sent;
}
