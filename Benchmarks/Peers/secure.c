/* secure receive PORT COUNT SIZE
 * plain.c over TLS, by the same OpenSSL as the library opens, straight from the socket: the least that receiving over TLS
 * can cost. It verifies nothing. */
#include <openssl/ssl.h>
#include <unistd.h>

static SSL *connection;

static ssize_t take(int descriptor, void *space, size_t size)
{
    (void)descriptor;
    return SSL_read(connection, space, (int)size);
}

static ssize_t give(int descriptor, const void *bytes, size_t size)
{
    (void)descriptor;
    return SSL_write(connection, bytes, (int)size);
}

static void begin(int descriptor)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_read_ahead(context, 1);
    connection = SSL_new(context);
    SSL_set_fd(connection, descriptor);
    if (SSL_connect(connection) != 1) _exit(1);
}

#define SECURE
#include "plain.c"
