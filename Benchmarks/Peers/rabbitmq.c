/* rabbitmq receive PORT COUNT SIZE
 * rabbitmq publish PORT WINDOW COUNT SIZE
 * rabbitmq feed PORT COUNT SIZE
 * The workloads on librabbitmq: a consumer without acknowledgements; publishing with confirms, of which WINDOW are
 * outstanding. `feed` publishes as the library does, with its two header fields, and waits for no confirm. */
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include "measure.h"

static const char *const exchange = "broadcaster";

static void expect(amqp_connection_state_t connection, const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("librabbitmq: %s", what);
}

static amqp_connection_state_t connect_to(int port)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, "127.0.0.1", port)) fail("librabbitmq: no connection");
    amqp_rpc_reply_t reply =
        amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("librabbitmq: no login");
    amqp_channel_open(connection, 1);
    expect(connection, "channel.open");
    amqp_exchange_declare(connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes("topic"),
                          0, 1, 0, 0, amqp_empty_table);
    expect(connection, "exchange.declare");
    return connection;
}

static void receive(amqp_connection_state_t connection, long count, int size)
{
    amqp_queue_declare_ok_t *queue = amqp_queue_declare(
        connection, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    expect(connection, "queue.declare");
    amqp_bytes_t name = amqp_bytes_malloc_dup(queue->queue);
    amqp_queue_bind(connection, 1, name, amqp_cstring_bytes(exchange), amqp_cstring_bytes("bench"),
                    amqp_empty_table);
    expect(connection, "queue.bind");
    amqp_basic_consume(connection, 1, name, amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
    expect(connection, "basic.consume");
    struct meter meter = meter_start();
    say("ready");
    for (long i = 0; i < count; i++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, NULL, 0);
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("librabbitmq: no message");
        if (envelope.message.body.len != (size_t)size) fail("a message of another size");
        amqp_destroy_envelope(&envelope);
    }
    report(meter, count, "");
}

static void send_one(amqp_connection_state_t connection, amqp_bytes_t body,
                     const amqp_basic_properties_t *properties)
{
    if (amqp_basic_publish(connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes("bench"),
                           0, 0, properties, body))
        fail("librabbitmq: basic.publish");
}

/* The number of confirms in the next frame. */
static long confirmed(amqp_connection_state_t connection, long last)
{
    amqp_frame_t frame;
    amqp_maybe_release_buffers(connection);
    if (amqp_simple_wait_frame(connection, &frame)) fail("librabbitmq: no confirm");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        fail("librabbitmq: another frame");
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    return ack->multiple ? (long)ack->delivery_tag - last : 1;
}

static void publish(amqp_connection_state_t connection, int window, long count, amqp_bytes_t body)
{
    amqp_confirm_select(connection, 1);
    expect(connection, "confirm.select");
    struct meter meter = meter_start();
    long sent = 0, answered = 0;
    while (answered < count) {
        for (; sent < count && sent - answered < window; sent++) send_one(connection, body, NULL);
        answered += confirmed(connection, answered);
    }
    report(meter, count, "");
}

static void feed(amqp_connection_state_t connection, long count, amqp_bytes_t body)
{
    amqp_table_entry_t fields[2];
    fields[0].key = amqp_cstring_bytes("broadcaster-publisher");
    fields[0].value.kind = AMQP_FIELD_KIND_UTF8;
    fields[0].value.value.bytes = amqp_cstring_bytes("librabbitmqc");
    fields[1].key = amqp_cstring_bytes("broadcaster-number");
    fields[1].value.kind = AMQP_FIELD_KIND_I64;
    amqp_basic_properties_t properties = { 0 };
    char id[32];
    properties._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
    properties.headers.num_entries = 2;
    properties.headers.entries = fields;
    for (long i = 1; i <= count; i++) {
        fields[1].value.value.i64 = i;
        snprintf(id, sizeof id, "%ld", i);
        properties.message_id = amqp_cstring_bytes(id);
        send_one(connection, body, &properties);
    }
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
}

int main(int argc, char **argv)
{
    if (argc < 5) fail("rabbitmq receive|publish|feed PORT [WINDOW] COUNT SIZE");
    amqp_connection_state_t connection = connect_to(atoi(argv[2]));
    long count = atol(argv[argc - 2]);
    int size = atoi(argv[argc - 1]);
    amqp_bytes_t body = amqp_bytes_malloc(size);
    memset(body.bytes, 'x', size);
    if (!strcmp(argv[1], "receive")) receive(connection, count, size);
    else if (!strcmp(argv[1], "publish")) publish(connection, atoi(argv[3]), count, body);
    else if (!strcmp(argv[1], "feed")) feed(connection, count, body);
    else fail("no workload %s", argv[1]);
    return 0;
}
