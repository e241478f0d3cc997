/* The two Linux headers that Swift's Glibc module leaves out. Nothing of C is compiled. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
