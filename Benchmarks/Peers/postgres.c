/* postgres receive CONNINFO COUNT SIZE
 * postgres publish CONNINFO WINDOW COUNT SIZE
 * The workloads on libpq: NOTIFY received, and pg_notify prepared, pipelined where WINDOW is more than 1. */
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

static void publish(PGconn *connection, int window, long count, int size)
{
    char *payload = calloc(size + 1, 1);
    const char *values[] = { "bench", payload };
    memset(payload, 'x', size);
    expect(connection, PQprepare(connection, "publish", "SELECT pg_notify($1, $2)", 2, NULL),
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
    else if (!strcmp(argv[1], "publish")) publish(connection, atoi(argv[3]), count, size);
    else fail("no workload %s", argv[1]);
    PQfinish(connection);
    return 0;
}
