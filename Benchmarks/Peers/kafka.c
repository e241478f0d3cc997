/* kafka receive PORT COUNT SIZE
 * kafka publish PORT WINDOW COUNT SIZE
 * kafka feed PORT COUNT SIZE
 * The workloads on librdkafka: a consumer of partition 0, from its end, a thousand messages at a time; publishing with
 * acks=all to partition 0, WINDOW messages and then a flush, or, with WINDOW 0, one flush at the end. `feed` is the
 * same, and ends with a batch of one message: Tansu's answer to the question for the end lies within a batch. */
#include <librdkafka/rdkafka.h>

#include "measure.h"

static char error[512];

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error)) fail("librdkafka: %s", error);
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *port)
{
    char server[64];
    snprintf(server, sizeof server, "127.0.0.1:%s", port);
    set(conf, "bootstrap.servers", server);
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
    if (!client) fail("librdkafka: %s", error);
    return client;
}

static void receive(const char *port, long count, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "fetch.wait.max.ms", "50");
    rd_kafka_t *client = make(RD_KAFKA_CONSUMER, conf, port);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, "bench", NULL);
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(client, "bench", 0, &low, &high, 10000))
        fail("librdkafka: no offsets");
    if (rd_kafka_consume_start(topic, 0, high)) fail("librdkafka: no consumer");
    struct meter meter = meter_start();
    say("ready");
    rd_kafka_message_t *messages[1000];
    for (long left = count; left > 0;) {
        ssize_t got = rd_kafka_consume_batch(topic, 0, 10000, messages, left < 1000 ? left : 1000);
        if (got < 0) fail("librdkafka: no message");
        for (ssize_t i = 0; i < got; i++) {
            if (messages[i]->err == 0 && messages[i]->len != size) fail("a message of another size");
            if (messages[i]->err == 0) left--;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    report(meter, count, "");
}

static long lost;

static void answered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client, (void)opaque;
    if (message->err) lost++;
}

static void produce(rd_kafka_t *client, rd_kafka_topic_t *topic, void *body, size_t size)
{
    while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, body, size, NULL, 0, NULL)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("librdkafka: produce");
        rd_kafka_poll(client, 1);
    }
}

static void publish(const char *port, long window, long count, void *body, size_t size, int feeds)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "linger.ms", "5");
    set(conf, "acks", "all");
    rd_kafka_conf_set_dr_msg_cb(conf, answered);
    rd_kafka_t *client = make(RD_KAFKA_PRODUCER, conf, port);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, "bench", NULL);
    if (!feeds) {
        produce(client, topic, body, size);
        rd_kafka_flush(client, 60000);
    }
    struct meter meter = meter_start();
    for (long sent = 1; sent <= count; sent++) {
        if (feeds && sent == count) rd_kafka_flush(client, 60000);
        produce(client, topic, body, size);
        if (window && sent % window == 0) rd_kafka_flush(client, 60000);
        else if (sent % 1000 == 0) rd_kafka_poll(client, 0);
    }
    rd_kafka_flush(client, 60000);
    if (lost) fail("librdkafka: %ld messages were not accepted", lost);
    if (!feeds) report(meter, count, "");
}

int main(int argc, char **argv)
{
    if (argc < 5) fail("kafka receive|publish|feed PORT [WINDOW] COUNT SIZE");
    long count = atol(argv[argc - 2]);
    size_t size = atoi(argv[argc - 1]);
    char *body = malloc(size);
    memset(body, 'x', size);
    if (!strcmp(argv[1], "receive")) receive(argv[2], count, size);
    else if (!strcmp(argv[1], "publish")) publish(argv[2], atol(argv[3]), count, body, size, 0);
    else if (!strcmp(argv[1], "feed")) publish(argv[2], 0, count, body, size, 1);
    else fail("no workload %s", argv[1]);
    return 0;
}
