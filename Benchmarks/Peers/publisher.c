/* publisher PORT CHANNELS COUNT SIZE [stream]: the fastest publisher that one socket allows. It writes PUBLISH, or XADD, in
 * blocks of 64 KiB and reads the replies as they come, so that neither side waits for the other. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>

#include "loopback.h"

enum { BLOCK = 65536 };

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct replies {
    long count;     /* complete ones */
    int at_start;   /* of a line */
    int is_length;  /* of an id, which stands in the next line */
};

static void read_replies(int descriptor, struct replies *replies)
{
    static char chunk[BLOCK];
    ssize_t got = read(descriptor, chunk, sizeof chunk);
    if (got == 0) fail("the server closed the publisher's connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR) fail("read: %s", strerror(errno));
    for (ssize_t i = 0; i < got; i++) {
        if (replies->at_start && chunk[i] == '-') fail("a message was refused");
        if (replies->at_start) replies->is_length = chunk[i] == '$';
        replies->at_start = chunk[i] == '\n';
        if (chunk[i] == '\n' && !replies->is_length) replies->count++;
    }
}

static int is_stream;

static size_t append_command(char *block, int channels, const char *payload, int size)
{
    char name[32];
    const char *head_of_all = is_stream ? "*8\r\n$4\r\nXADD\r\n" : "*3\r\n$7\r\nPUBLISH\r\n";
    const char *bound = is_stream ? "$6\r\nMAXLEN\r\n$1\r\n~\r\n$6\r\n400000\r\n$1\r\n*\r\n$7\r\nmessage\r\n" : "";
    channel_name(name, sizeof name, channels == 1 ? 0 : (int)(next_random() % channels), channels);
    int head = sprintf(block, "%s$%zu\r\n%s\r\n%s$%d\r\n", head_of_all, strlen(name), name, bound, size);
    memcpy(block + head, payload, size);
    memcpy(block + head + size, "\r\n", 2);
    return head + size + 2;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) fail("publisher PORT CHANNELS COUNT SIZE [stream]");
    is_stream = argc == 6;
    int descriptor = connect_loopback(atoi(argv[1])), channels = atoi(argv[2]), size = atoi(argv[4]);
    long count = atol(argv[3]), made = 0;
    char *payload = malloc(size), *block = malloc(BLOCK + size + 512);
    size_t filled = 0, written = 0;
    struct replies replies = { 0, 1, 0 };
    memset(payload, 'x', size);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    while (replies.count < count) {
        if (written == filled && made < count) {
            for (filled = written = 0; filled < BLOCK && made < count; made++)
                filled += append_command(block + filled, channels, payload, size);
        }
        struct pollfd wait = { descriptor, POLLIN | (written < filled ? POLLOUT : 0), 0 };
        if (poll(&wait, 1, -1) < 0) continue;
        if (wait.revents & POLLOUT) {
            ssize_t sent = write(descriptor, block + written, filled - written);
            if (sent > 0) written += sent;
            else if (errno != EAGAIN && errno != EINTR) fail("write: %s", strerror(errno));
        }
        if (wait.revents & ~POLLOUT) read_replies(descriptor, &replies);
    }
    return 0;
}
