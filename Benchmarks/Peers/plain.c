/* plain receive PORT COUNT SIZE
 * plain channels PORT CHANNELS COUNT SIZE
 * A blocking read loop with a parser by hand and no allocation: the least that receiving can cost. */
#include "loopback.h"

#ifndef SECURE
static ssize_t take(int descriptor, void *space, size_t size) { return read(descriptor, space, size); }
static ssize_t give(int descriptor, const void *bytes, size_t size) { return write(descriptor, bytes, size); }
static void begin(int descriptor) { (void)descriptor; }
#endif

static char buffer[4 << 20];
static size_t start, end;
static int descriptor;

/* Moves the rest of a read, less than a message, to the front before the next one. */
enum { READ_SIZE = 65536 };

static void fill(void)
{
    if (start > 0) {
        memmove(buffer, buffer + start, end - start);
        end -= start;
        start = 0;
    }
    if (end + READ_SIZE > sizeof buffer) fail("a message that is too long");
    ssize_t got = take(descriptor, buffer + end, READ_SIZE);
    if (got <= 0) fail("the server closed the connection");
    end += got;
}

/* The number of a line that begins at *at with `kind`; moves *at behind it. 0: not all there. */
static int take_number(size_t *at, char kind, long *number)
{
    size_t i = *at;
    long value = 0;
    if (i == end) return 0;
    if (buffer[i] != kind) fail("expected %c, found %c", kind, buffer[i]);
    for (i++; i < end && buffer[i] != '\r'; i++) value = value * 10 + (buffer[i] - '0');
    if (i + 1 >= end) return 0;
    *at = i + 2;
    *number = value;
    return 1;
}

/* The length of the third element: a payload, or -1 for the number of a confirmation. -2: not all there. */
static long take_push(void)
{
    size_t at = start;
    long number, length;
    if (!take_number(&at, '*', &number)) return -2;
    for (int i = 0; i < 2; i++) {
        if (!take_number(&at, '$', &length)) return -2;
        at += length + 2;
        if (at > end) return -2;
    }
    if (at == end) return -2;
    if (buffer[at] == ':') {
        if (!take_number(&at, ':', &number)) return -2;
        start = at;
        return -1;
    }
    if (!take_number(&at, '$', &length)) return -2;
    at += length + 2;
    if (at > end) return -2;
    start = at;
    return length;
}

static long next_push(void)
{
    long length;
    while ((length = take_push()) == -2) fill();
    return length;
}

static void subscribe(int channels)
{
    size_t capacity = 64 * (size_t)channels + 64, size;
    char *command = malloc(capacity), name[32];
    size = sprintf(command, "*%d\r\n$9\r\nSUBSCRIBE\r\n", channels + 1);
    for (int i = 0; i < channels; i++) {
        channel_name(name, sizeof name, i, channels);
        size += sprintf(command + size, "$%zu\r\n%s\r\n", strlen(name), name);
    }
    for (size_t done = 0; done < size;) {
        ssize_t sent = give(descriptor, command + done, size - done);
        if (sent <= 0) fail("write failed");
        done += sent;
    }
    free(command);
    for (int i = 0; i < channels; i++)
        if (next_push() != -1) fail("expected a confirmation");
}

static void receive(long count, int size, const char *more)
{
    struct meter meter = meter_start();
    say("ready");
    for (long i = 0; i < count; i++)
        if (next_push() != size) fail("a message of another size");
    report(meter, count, more);
}

int main(int argc, char **argv)
{
    if (argc < 5) fail("plain receive|channels PORT [CHANNELS] COUNT SIZE");
    int is_receive = !strcmp(argv[1], "receive"), channels = is_receive ? 1 : atoi(argv[3]);
    char more[128];
    descriptor = connect_loopback(atoi(argv[2]));
    begin(descriptor);
    long before = memory_kb("VmRSS:");
    double started = clock_seconds(CLOCK_MONOTONIC);
    subscribe(channels);
    snprintf(more, sizeof more, " subscribe_s=%f bytes_per_subscription=%f",
             clock_seconds(CLOCK_MONOTONIC) - started,
             (memory_kb("VmRSS:") - before) * 1024.0 / channels);
    receive(atol(argv[argc - 2]), atoi(argv[argc - 1]), more);
    return 0;
}
