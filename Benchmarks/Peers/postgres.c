/* postgres receive CONNINFO COUNT SIZE
 * postgres publish CONNINFO WINDOW COUNT SIZE
 * postgres history-receive CONNINFO COUNT SIZE
 * postgres history-publish CONNINFO WINDOW COUNT SIZE
 * The workloads on libpq: NOTIFY received, and pg_notify prepared, pipelined where WINDOW is more than 1; and the same with the
 * tables of a history, bench_messages, by the library's own SQL. */
#include <libpq-fe.h>
#include <poll.h>

#include "measure.h"

static PGconn *connect_to(const char *info)
{
    PGconn *connection = PQconnectdb(info);
    if (PQstatus(connection) != CONNECTION_OK) fail("%s", PQerrorMessage(connection));
    return connection;
}

static void expect(PGconn *connection, PGresult *result, ExecStatusType status)
{
    if (PQresultStatus(result) != status) fail("libpq: %s", PQerrorMessage(connection));
    PQclear(result);
}

static void receive(PGconn *connection, long count, int size)
{
    expect(connection, PQexec(connection, "LISTEN bench"), PGRES_COMMAND_OK);
    struct meter meter = meter_start();
    say("ready");
    for (long received = 0; received < count;) {
        PGnotify *notification;
        struct pollfd wait = { PQsocket(connection), POLLIN, 0 };
        poll(&wait, 1, -1);
        if (!PQconsumeInput(connection)) fail("libpq: %s", PQerrorMessage(connection));
        while ((notification = PQnotifies(connection))) {
            if (strlen(notification->extra) != (size_t)size) fail("a message of another size");
            PQfreemem(notification);
            received++;
        }
    }
    report(meter, count, "");
}

/* A page from the message that was read last: 0.3 ms of the server for 100 rows. */
static const char *page_of_history =
    "SELECT c.epoch, c.top, COALESCE(t.at, 0), o.\"offset\", m.\"offset\", m.at, m.payload FROM bench_messages_channels c"
    " LEFT JOIN LATERAL (SELECT (extract(epoch FROM created) * 1000000)::bigint AS at FROM bench_messages"
    " WHERE channel = c.channel AND \"offset\" = c.top) t ON true"
    " LEFT JOIN LATERAL (SELECT \"offset\" FROM bench_messages WHERE channel = c.channel"
    " AND \"offset\" > c.floor ORDER BY \"offset\" LIMIT 1) o ON true"
    " LEFT JOIN LATERAL (SELECT \"offset\", at, payload FROM (SELECT \"offset\","
    " (extract(epoch FROM created) * 1000000)::bigint AS at, payload,"
    " sum(octet_length(payload)) OVER (ORDER BY \"offset\") - octet_length(payload) AS before"
    " FROM (SELECT * FROM bench_messages WHERE channel = c.channel AND \"offset\" >= $1::bigint"
    " ORDER BY \"offset\" LIMIT 1001) s) p WHERE before < 262144) m ON true"
    " WHERE c.channel = 'bench' ORDER BY m.\"offset\"";

/* Reads pages up to the end. Returns the number of messages. */
static long read_pages(PGconn *connection, long long *place, int size)
{
    long taken = 0;
    for (int rows = 2; rows > 1;) {
        char text[24];
        const char *values[] = { text };
        snprintf(text, sizeof text, "%lld", *place);
        PGresult *page = PQexecPrepared(connection, "page", 1, values, NULL, NULL, 1);
        if (PQresultStatus(page) != PGRES_TUPLES_OK) fail("libpq: %s", PQerrorMessage(connection));
        rows = PQntuples(page);
        for (int row = *place == 0 ? 0 : 1; row < rows; row++, taken++) {
            if (PQgetlength(page, row, 6) != size) fail("a message of another size");
            unsigned char *number = (unsigned char *)PQgetvalue(page, row, 4);
            long long value = 0;
            for (int i = 0; i < 8; i++) value = value << 8 | number[i];
            *place = value;
        }
        PQclear(page);
    }
    return taken;
}

static void history_receive(PGconn *connection, long count, int size)
{
    PGresult *bell = PQexec(connection, "SELECT 'LISTEN bc_' || md5('bench_messages:bench'),"
                                        " COALESCE((SELECT top FROM bench_messages_channels WHERE channel = 'bench'), 0)");
    if (PQresultStatus(bell) != PGRES_TUPLES_OK) fail("libpq: %s", PQerrorMessage(connection));
    long long place = atoll(PQgetvalue(bell, 0, 1));
    expect(connection, PQexec(connection, PQgetvalue(bell, 0, 0)), PGRES_COMMAND_OK);
    PQclear(bell);
    expect(connection, PQprepare(connection, "page", page_of_history, 1, NULL), PGRES_COMMAND_OK);
    struct meter meter = meter_start();
    say("ready");
    for (long received = 0; received < count;) {
        PGnotify *notification;
        int has_rung = 0;
        struct pollfd wait = { PQsocket(connection), POLLIN, 0 };
        while ((notification = PQnotifies(connection))) {
            PQfreemem(notification);
            has_rung = 1;
        }
        if (has_rung) received += read_pages(connection, &place, size);
        else if (poll(&wait, 1, -1) < 0 || !PQconsumeInput(connection))
            fail("libpq: %s", PQerrorMessage(connection));
    }
    report(meter, count, "");
}

static void publish_singly(PGconn *connection, long count, const char *const *values)
{
    for (long i = 0; i < count; i++)
        expect(connection, PQexecPrepared(connection, "publish", 2, values, NULL, NULL, 0),
               PGRES_TUPLES_OK);
}

/* A sync after each, so that each is a transaction, as separate publishes are. */
static void send_one(PGconn *connection, const char *const *values)
{
    if (!PQsendQueryPrepared(connection, "publish", 2, values, NULL, NULL, 0)
        || !PQpipelineSync(connection))
        fail("libpq: %s", PQerrorMessage(connection));
}

static void publish_pipelined(PGconn *connection, long count, int window, const char *const *values)
{
    long sent = 0;
    if (!PQenterPipelineMode(connection)) fail("libpq: no pipeline mode");
    for (; sent < window && sent < count; sent++) send_one(connection, values);
    for (long answered = 0; answered < count; answered++) {
        expect(connection, PQgetResult(connection), PGRES_TUPLES_OK);
        if (PQgetResult(connection)) fail("libpq: more than one result");
        expect(connection, PQgetResult(connection), PGRES_PIPELINE_SYNC);
        if (sent < count) {
            send_one(connection, values);
            sent++;
        }
    }
}

static void publish(PGconn *connection, const char *statement, int window, long count, int size)
{
    char *payload = calloc(size + 1, 1);
    const char *values[] = { "bench", payload };
    memset(payload, 'x', size);
    expect(connection, PQprepare(connection, "publish", statement, 2, NULL),
           PGRES_COMMAND_OK);
    struct meter meter = meter_start();
    if (window == 1) publish_singly(connection, count, values);
    else publish_pipelined(connection, count, window, values);
    report(meter, count, "");
}

int main(int argc, char **argv)
{
    if (argc < 5) fail("postgres receive|publish CONNINFO [WINDOW] COUNT SIZE");
    PGconn *connection = connect_to(argv[2]);
    long count = atol(argv[argc - 2]);
    int size = atoi(argv[argc - 1]);
    if (!strcmp(argv[1], "receive")) receive(connection, count, size);
    else if (!strcmp(argv[1], "publish")) 
        publish(connection, "SELECT pg_notify($1, $2)", atoi(argv[3]), count, size);
    else if (!strcmp(argv[1], "history-receive")) history_receive(connection, count, size);
    else if (!strcmp(argv[1], "history-publish"))
        publish(connection, "SELECT * FROM bench_messages_publish($1::text, ARRAY[$2::text::bytea])", atoi(argv[3]),
                count, size);
    else fail("no workload %s", argv[1]);
    PQfinish(connection);
    return 0;
}
