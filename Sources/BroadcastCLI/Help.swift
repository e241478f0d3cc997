/// The text that `--help` prints.
enum Help {
    static let commands = "chat, subscribe, publish, history, migrate, ping"

    static func text(_ command: String) -> String? {
        switch command {
        case "subscribe": subscribe
        case "publish": publish
        case "history": history
        case "migrate": migrate
        case "ping": ping
        case "chat": chat
        default: nil
        }
    }

    static let overview = """
        broadcast: publish messages to channels, and subscribe to them

          broadcast chat [options]                    a web chat, to see it all work
          broadcast subscribe [options] CHANNEL…      print what is published
          broadcast publish [options] CHANNEL [TEXT]  publish a text, or each line of standard input
          broadcast history [options] CHANNEL         print what a server has kept of a channel
          broadcast migrate [options]                 what a history needs on a Postgres server
          broadcast ping [options]                    who answers there, and how fast

        broadcast COMMAND --help says more; broadcast --version names the version.

        \(url)
        """

    private static let url = """
        The server, by --url or else $BROADCAST_URL:
          redis://[[user][:password]@]host[:port][/database]     also valkey://
          rediss://…             the same over TLS
          redis+unix:///path/to/socket[?database=1]
          redis-sentinel://host[:port][,host…][?master=NAME]   the master that sentinels name
          redis-cluster://host[:port][,host…][?sharded=true]   a cluster, by any of its nodes
          redis-stream+sentinel://…, redis-stream+cluster://…  the same, with history
          redis-stream://host[:port][?max_length=10000&max_age=24h]   channels that are kept, as
                                 streams; also rediss-stream://, redis-stream+unix:///path
          postgres://[user[:password]@][host[:port]][/database]
          amqp://[user[:password]@]host[:port][/virtual-host]    RabbitMQ; amqps:// over TLS;
                                 ?history=stream keeps channels in streams
          kafka://[user[:password]@]host[:port][,host…]          also kafkas:// over TLS
          memory://[?history=1000]
                                 inside this process alone; the default. With history: that many
                                 messages of each channel are kept
        Options of a URL: connect_timeout, publish_timeout, ping (500ms, 1s, 2m or plain seconds),
        max_message_size; of a redis URL: protocol=2|3, client_name, database, username, password;
        of a rediss URL: ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_password, ssl_cert_reqs,
        ssl_check_hostname, ssl_server_name, ssl_min_version; of a postgres URL: those of libpq
        (sslmode, sslrootcert, channel_binding …), large_payloads=split|refuse, allow_cleartext=true;
        of an amqp URL: exchange, heartbeat, max_length, max_length_bytes, auth_mechanism,
        history=stream, stream_max_bytes, stream_max_age; of a kafka URL: sasl_mechanism,
        partition=N|spread, isolation_level, acks, client_id, allow_auto_create_topics,
        fetch_max_wait; of a kafkas URL also ssl_…

        Exit status: 0 done, also on SIGINT and SIGTERM; 64 usage or bad URL; 69 server not
        reachable; 70 the server broke the protocol; 75 later: a timeout, or the server refuses for
        now; 77 never: refused by the server or, for its certificate, by us; 1 else
        """

    private static let subscribe = """
        broadcast subscribe [options] CHANNEL…

        Prints the messages of the channels, a line each (CHANNEL<TAB>MESSAGE where there are several
        channels or a pattern). All else goes to standard error.

          --url URL             the server
          --pattern             CHANNEL… are patterns: * any characters, ? one, [abc] one of these
          --format text|json    json prints one object a line, gaps and status among them; text cannot
                                tell a line break inside of a message from its end, and json can
          --count N             end after N messages
          --timeout TIME        end after that time (500ms, 1s, 2m or plain seconds), with status 75
          --history N|all       begin with the newest N messages, or the oldest that the server has kept
          --since TIME          begin with what was published in that time (10m, 1h), by the server's clock
          --after POSITION      begin right behind a message, by the position that json prints
          --buffer N            messages that may wait to be printed (default 1000000)
          --overflow POLICY     beyond that: drop-oldest, drop-newest, fail, or refill: read again, where the
                                server keeps messages (the default there; else drop-oldest)
          --trace               print the bytes sent and received to standard error

        \(url)
        """

    private static let publish = """
        broadcast publish [options] CHANNEL [MESSAGE]

        Publishes MESSAGE, its bytes as they are; without it each line of standard input is a message, kept
        in order. A channel or message that begins with -- comes after -- alone.

          --url URL             the server
          --format text|json    json prints one object a message
          --trace               print the bytes sent and received to standard error

        \(url)
        """

    private static let history = """
        broadcast history [options] CHANNEL

        Prints what the server has kept of a channel, the oldest message first: the newest 100, or the part that
        an option names. Exit status 64 where the server keeps nothing.

          --url URL             the server
          --before POSITION     what comes right before a message
          --after POSITION      what comes right behind a message
          --oldest              from the oldest message on
          --limit N             messages (default 100, at most 1000)
          --format text|json    json prints one object a message, with its position
          --trace               print the bytes sent and received to standard error

        \(url)
        """

    private static let migrate = """
        broadcast migrate [options]

        Prints the SQL that makes the tables of a history and the function that publishes into them; with --apply
        carries it out. Nothing else of this command or the library makes or changes a table.

          --url URL             the server: postgres://…?history=TABLE
          --apply               carry it out, in one transaction
          --trace               print the bytes sent and received to standard error

        \(url)
        """

    private static let chat = """
        broadcast chat [options]

        Serves a web chat. Its rooms are channels: / is the room "chatroom", /room/NAME any other. Several
        of these commands with one --url are one chat. For curl: /events/NAME shows a room
        (curl -N), and POST /publish/NAME speaks in it (curl -d hello).

          --url URL             the server
          --host HOST           where to listen (default 127.0.0.1: this machine alone)
          --port PORT           default 8000; 0 finds a free one
          --allow-host NAME,…   further names by which browsers may ask for it, such as a proxy's;
                                localhost, --host and addresses are served anyway
          --trace               print the bytes sent to and received from the server of --url

        \(url)
        """

    private static let ping = """
        broadcast ping [options]

        Connects, logs in, and prints the server, its version, the protocol and the round trip; over TLS
        its version, the cipher, and the server's certificate.

          --url URL             the server
          --format text|json    json prints one object
          --trace               print the bytes sent and received to standard error

        \(url)
        """
}
