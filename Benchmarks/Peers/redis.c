/* redis receive PORT COUNT SIZE
 * redis publish PORT WINDOW COUNT SIZE
 * redis round-trip PORT COUNT SIZE
 * redis channels PORT CHANNELS COUNT SIZE
 * redis stream-publish PORT WINDOW COUNT SIZE
 * redis stream-channels PORT CHANNELS COUNT SIZE
 * redis first-message PORT
 * The workloads on hiredis, as its documentation would have them written. */
#include <hiredis/hiredis.h>

#include "measure.h"

static redisContext *connect_to(const char *port)
{
    redisContext *context = redisConnect("127.0.0.1", atoi(port));
    if (!context || context->err) fail("cannot connect to port %s", port);
    redisEnableKeepAlive(context);
    return context;
}

static redisReply *next_reply(redisContext *context)
{
    void *reply;
    if (redisGetReply(context, &reply) != REDIS_OK) fail("hiredis: %s", context->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR) fail("%s", ((redisReply *)reply)->str);
    return reply;
}

static void take_message(redisContext *context, size_t size)
{
    redisReply *reply = next_reply(context);
    if (reply->elements != 3 || reply->element[2]->len != size) fail("not a message of %zu", size);
    freeReplyObject(reply);
}

static void subscribe(redisContext *context, int channels)
{
    const char **words = malloc(sizeof *words * (channels + 1));
    char *names = malloc(32 * (size_t)channels);
    words[0] = "SUBSCRIBE";
    for (int i = 0; i < channels; i++) {
        channel_name(names + 32 * (size_t)i, 32, i, channels);
        words[i + 1] = names + 32 * (size_t)i;
    }
    redisAppendCommandArgv(context, channels + 1, words, NULL);
    free(words);
    free(names);
    for (int i = 0; i < channels; i++) freeReplyObject(next_reply(context));
}

static char *payload_of(int size)
{
    char *payload = malloc(size);
    memset(payload, 'x', size);
    return payload;
}

static void receive(redisContext *context, int channels, long count, int size)
{
    char more[128];
    long before = memory_kb("VmRSS:");
    double begin = clock_seconds(CLOCK_MONOTONIC);
    subscribe(context, channels);
    snprintf(more, sizeof more, " subscribe_s=%f bytes_per_subscription=%f",
             clock_seconds(CLOCK_MONOTONIC) - begin,
             (memory_kb("VmRSS:") - before) * 1024.0 / channels);
    struct meter meter = meter_start();
    say("ready");
    for (long i = 0; i < count; i++) take_message(context, size);
    report(meter, count, more);
}

/* What a loop over XREAD does: it is behind each stream's newest entry, and takes up to 1,000 of each at a time. */
static void stream_receive(redisContext *context, int channels, long count, int size)
{
    enum { WIDTH = 48 };
    const char **words = malloc(sizeof *words * (2 * channels + 6));
    char *names = malloc(WIDTH * (size_t)channels), *ids = malloc(WIDTH * (size_t)channels);
    const char *head[] = { "XREAD", "COUNT", "1000", "BLOCK", "0", "STREAMS" };
    memcpy(words, head, sizeof head);
    for (int i = 0; i < channels; i++) {
        channel_name(names + WIDTH * (size_t)i, WIDTH, i, channels);
        words[6 + i] = names + WIDTH * (size_t)i;
        words[6 + channels + i] = strcpy(ids + WIDTH * (size_t)i, "0-0");
        redisAppendCommand(context, "XREVRANGE %s + - COUNT 1", words[6 + i]);
    }
    for (int i = 0; i < channels; i++) {
        redisReply *last = next_reply(context);
        if (last->elements) strcpy(ids + WIDTH * (size_t)i, last->element[0]->element[0]->str);
        freeReplyObject(last);
    }
    struct meter meter = meter_start();
    say("ready");
    for (long taken = 0; taken < count;) {
        redisAppendCommandArgv(context, 2 * channels + 6, words, NULL);
        redisReply *reply = next_reply(context);
        for (size_t s = 0; s < reply->elements; s++) {
            redisReply *stream = reply->element[s], *entries = stream->element[1];
            int channel = channels == 1 ? 0 : atoi(stream->element[0]->str + strlen("bench-"));
            for (size_t e = 0; e < entries->elements; e++, taken++) {
                redisReply *entry = entries->element[e];
                if (entry->element[1]->element[1]->len != (size_t)size) fail("not a message of %d", size);
                strcpy(ids + WIDTH * (size_t)channel, entry->element[0]->str);
            }
        }
        freeReplyObject(reply);
    }
    report(meter, count, "");
}

/* Never more than `window` without an answer. */
static void publish(redisContext *context, const char *command, int window, long count, int size)
{
    char *payload = payload_of(size);
    long sent = 0;
    struct meter meter = meter_start();
    for (; sent < window && sent < count; sent++)
        redisAppendCommand(context, command, payload, (size_t)size);
    for (long answered = 0; answered < count; answered++) {
        freeReplyObject(next_reply(context));
        if (sent < count) {
            redisAppendCommand(context, command, payload, (size_t)size);
            sent++;
        }
    }
    report(meter, count, "");
}

static void round_trip(redisContext *context, redisContext *subscriber, long count, int size)
{
    char *payload = payload_of(size), more[128];
    double *times = malloc(sizeof *times * count);
    subscribe(subscriber, 1);
    struct meter meter = meter_start();
    for (long i = 0; i < count; i++) {
        double begin = clock_seconds(CLOCK_MONOTONIC);
        redisAppendCommand(context, "PUBLISH bench %b", payload, (size_t)size);
        freeReplyObject(next_reply(context));
        take_message(subscriber, size);
        times[i] = (clock_seconds(CLOCK_MONOTONIC) - begin) * 1e6;
    }
    qsort(times, count, sizeof *times, compare_doubles);
    snprintf(more, sizeof more, " p50_us=%f p99_us=%f", times[count / 2], times[count * 99 / 100]);
    report(meter, count, more);
}

static void first_message(redisContext *context, redisContext *subscriber)
{
    struct meter meter = meter_start();
    subscribe(subscriber, 1);
    redisAppendCommand(context, "PUBLISH bench hello");
    freeReplyObject(next_reply(context));
    take_message(subscriber, 5);
    say("hello");
    report(meter, 1, "");
}

int main(int argc, char **argv)
{
    if (argc < 3) fail("redis receive|publish|round-trip|channels|first-message PORT …");
    const char *work = argv[1];
    long count = argc > 4 ? atol(argv[argc - 2]) : 0;
    int size = argc > 4 ? atoi(argv[argc - 1]) : 0;
    redisContext *context = connect_to(argv[2]);
    if (!strcmp(work, "receive")) receive(context, 1, count, size);
    else if (!strcmp(work, "channels")) receive(context, atoi(argv[3]), count, size);
    else if (!strcmp(work, "publish")) publish(context, "PUBLISH bench %b", atoi(argv[3]), count, size);
    else if (!strcmp(work, "stream-channels")) stream_receive(context, atoi(argv[3]), count, size);
    else if (!strcmp(work, "stream-publish"))
        publish(context, "XADD bench MAXLEN ~ 10000 * message %b", atoi(argv[3]), count, size);
    else if (!strcmp(work, "round-trip")) round_trip(context, connect_to(argv[2]), count, size);
    else if (!strcmp(work, "first-message")) first_message(context, connect_to(argv[2]));
    else fail("no workload %s", work);
    return 0;
}
