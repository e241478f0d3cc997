/* The two Linux headers that Swift's Glibc module leaves out, and a call that <poll.h> has for _GNU_SOURCE alone.
   Nothing of C is compiled. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

extern int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
