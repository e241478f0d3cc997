package import BroadcasterWire

/// The parameters of libpq that have nothing to set here, as a libpq has them that was built without Kerberos: what needs one of these is refused, all else is taken, since it works with `psql`.
///
/// From `PQconninfoOptions` in fe-connect.c, 15 to 18, and "Environment Variables" in the documentation of 18.
package enum PostgresParameters {
    private static let kerberos = "needs Kerberos (GSSAPI), which is not there"
    private static let primary = "is not possible: LISTEN and NOTIFY need a primary"

    /// - Parameter hasSocket: a server is reached by a Unix-domain socket, the one place where libpq looks at this.
    package static func peer(hasSocket: Bool) -> ForeignOption {
        ForeignOption(
            "requirepeer", "PGREQUIREPEER",
            hasSocket ? .none("cannot be checked here: the server's user stays unknown") : .any)
    }

    package static let target = ForeignOption(
        "target_session_attrs", "PGTARGETSESSIONATTRS",
        .words(
            ["any", "read-write", "primary"],
            refused: ["read-only": primary, "standby": primary, "prefer-standby": primary]))

    package static let balancing = ForeignOption(
        "load_balance_hosts", "PGLOADBALANCEHOSTS", .words(["disable", "random"]))

    /// `require` would have the server ask for the certificate, which OpenSSL does not tell in every case.
    static let certificateMode = ForeignOption(
        "sslcertmode", "PGSSLCERTMODE",
        .words(["disable", "allow"], refused: ["require": "is not there"]))

    package static let all: [ForeignOption] = [
        ForeignOption(
            "service", "PGSERVICE",
            .none(
                "names an entry of a service file, which is not read: write the server into the URL"
            )),
        // Protection that is demanded.
        ForeignOption(
            "gssencmode", "PGGSSENCMODE",
            .words(["disable", "prefer"], refused: ["require": kerberos])),
        ForeignOption("scram_client_key", nil, .none("is not there: give the password")),
        ForeignOption("scram_server_key", nil, .none("is not there: give the password")),
        // The conversation: protocol 3.0, in UTF-8.
        ForeignOption(
            "min_protocol_version", "PGMINPROTOCOLVERSION",
            .words(["3.0"], refused: ["3.2": protocol30, "latest": protocol30])),
        ForeignOption(
            "max_protocol_version", "PGMAXPROTOCOLVERSION", .words(["3.0", "3.2", "latest"])),
        ForeignOption(
            "client_encoding", "PGCLIENTENCODING",
            .matching(expected: "UTF8 here", isUTF8)),
        ForeignOption(
            "replication", nil,
            .matching(expected: "false here") { ForeignOption.truth($0) == false }),
        // The kernel's signs of life: connections have them anyhow, beside `ping`.
        ForeignOption("keepalives", nil, .integer),
        ForeignOption("keepalives_idle", nil, .integer),
        ForeignOption("keepalives_interval", nil, .integer),
        ForeignOption("keepalives_count", nil, .integer),
        ForeignOption("tcp_user_timeout", nil, .integer),
        // Details of TLS, Kerberos and OAuth. Compression is dead, and keys are written to no file. A server that asks for
        // one of the other two is refused in the handshake.
        ForeignOption("sslcompression", "PGSSLCOMPRESSION", .any),
        ForeignOption("sslkeylogfile", nil, .any),
        ForeignOption("krbsrvname", "PGKRBSRVNAME", .any),
        ForeignOption("gsslib", "PGGSSLIB", .any),
        ForeignOption("gssdelegation", "PGGSSDELEGATION", .any),
        ForeignOption("oauth_issuer", nil, .any), ForeignOption("oauth_client_id", nil, .any),
        ForeignOption("oauth_client_secret", nil, .any), ForeignOption("oauth_scope", nil, .any),
    ]

    private static let protocol30 = "is not there: protocol 3.0 is spoken"

    /// Variables that are read and obeyed, beside those of the tables above.
    package static let obeyed = [
        "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE",
        "PGOPTIONS", "PGAPPNAME", "PGCONNECT_TIMEOUT", "PGREQUIREAUTH", "PGREQUIRESSL",
        "PGLOADBALANCEHOSTS", "PGSSLMODE", "PGSSLNEGOTIATION", "PGCHANNELBINDING", "PGSSLROOTCERT",
        "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI",
        "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION",
    ]

    /// Variables that change nothing: where service files and translations are, which PGSERVICE would need and errors
    /// do not have; how a server writes dates and plans queries, which nothing sent here asks for.
    package static let passedOver = [
        "PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR", "PGDATESTYLE", "PGTZ", "PGGEQO",
        "PGOAUTHDEBUG",
    ]

    /// Accepts each of Postgres's spellings of UTF-8 (`pg_encname_tbl` in encnames.c), and `auto`, which asks for the
    /// program's own encoding.
    @Sendable private static func isUTF8(_ name: String) -> Bool {
        let letters = name.lowercased().unicodeScalars.filter {
            ("a"..."z").contains($0) || ("0"..."9").contains($0)
        }
        return ["utf8", "unicode", "auto"].contains(String(String.UnicodeScalarView(letters)))
    }
}
