import BroadcasterPostgres
import BroadcasterWire
import Testing

/// Every class of Appendix A of PostgreSQL 18, by what a client can do: the code, and what it means.
private let classes: [(code: String, kind: Rejection.Kind)] = [
    // No errors; a server that sends one as an error says nothing of its end.
    ("00000", .permanent), ("01000", .permanent), ("02000", .permanent), ("03000", .permanent),
    // Connection, but for protocol violations, which have texts of their own.
    ("08000", .temporary), ("08003", .temporary), ("08006", .temporary), ("08001", .temporary),
    ("08004", .temporary), ("08007", .temporary), ("08P01", .permanent),
    ("09000", .permanent), ("0A000", .permanent),
    // The state of a connection.
    ("0B000", .temporary), ("24000", .temporary), ("25000", .temporary), ("25001", .temporary),
    ("25P01", .temporary), ("25P02", .temporary), ("25P03", .temporary), ("25P04", .temporary),
    ("26000", .temporary), ("2D000", .temporary), ("3B000", .temporary), ("3B001", .temporary),
    ("42P03", .temporary), ("42P05", .temporary),
    // Only the server at hand.
    ("25006", .unsuitable),
    ("0F000", .permanent), ("0L000", .permanent), ("0LP01", .permanent), ("0P000", .permanent),
    ("0Z000", .permanent), ("10608", .permanent), ("20000", .permanent), ("21000", .permanent),
    ("22000", .permanent), ("22021", .permanent), ("22023", .permanent), ("22P05", .permanent),
    ("23000", .permanent), ("27000", .permanent), ("28000", .authentication),
    ("28P01", .authentication), ("2B000", .permanent), ("2F000", .permanent),
    ("34000", .permanent), ("38000", .permanent), ("39000", .permanent), ("3D000", .permanent),
    ("3F000", .permanent),
    // Rolled back.
    ("40000", .temporary), ("40001", .temporary), ("40002", .temporary), ("40003", .temporary),
    ("40P01", .temporary),
    ("42000", .permanent), ("42501", .permission), ("42601", .permanent), ("42602", .permanent),
    ("42622", .permanent), ("42704", .permanent), ("42883", .permanent), ("44000", .permanent),
    // Resources.
    ("53000", .temporary), ("53100", .temporary), ("53200", .temporary), ("53300", .temporary),
    ("53400", .temporary),
    // The queue of NOTIFY, and limits of one statement.
    ("54000", .temporary), ("54001", .permanent), ("54011", .permanent), ("54023", .permanent),
    // Somebody else has it; or it is not in the state for that.
    ("55006", .temporary), ("55P03", .temporary), ("55000", .permanent), ("55P02", .permanent),
    ("55P04", .permanent),
    // An operator.
    ("57000", .temporary), ("57014", .temporary), ("57P01", .temporary), ("57P02", .temporary),
    ("57P03", .temporary), ("57P05", .temporary), ("57P04", .permanent),
    // The system around the server.
    ("58000", .temporary), ("58030", .temporary), ("58P01", .temporary), ("58P02", .temporary),
    ("58P03", .temporary), ("72000", .temporary),
    ("F0000", .permanent), ("F0001", .permanent), ("HV000", .permanent), ("HV001", .permanent),
    ("P0000", .permanent), ("P0001", .permanent),
    ("XX000", .temporary), ("XX001", .permanent), ("XX002", .permanent),
    // No class of PostgreSQL.
    ("ZZ999", .permanent), ("1", .permanent),
]

/// What poolers and look-alikes say with 08P01, of their own source.
private let violations: [(text: String, kind: Rejection.Kind)] = [
    ("unsupported startup parameter: options", .permanent), ("SSL required", .permanent),
    ("node is running secure mode, SSL connection required", .permanent),
    ("bad packet", .permanent), ("invalid startup packet layout", .permanent),
    ("no such database: d", .permanent), ("database \"d\" does not exist", .permanent),
    ("server login failed: FATAL database \"d\" does not exist", .permanent),
    ("not allowed", .permanent), ("bouncer config error", .permanent),
    ("no such user: u", .authentication), ("SASL authentication failed", .authentication),
    ("auth failed", .authentication),
    ("server login failed: FATAL password authentication failed", .authentication),
    ("server login has been failing, try again later (server_login_retry)", .temporary),
    ("no more connections allowed (max_client_conn)", .temporary),
    ("client_login_timeout (server down)", .temporary), ("query_wait_timeout", .temporary),
    ("server conn crashed?", .temporary), ("database configuration changed", .temporary),
    ("pgbouncer shutting down", .temporary), ("server dns lookup failed", .temporary),
    ("admin forced disconnect", .temporary), ("no memory for startup", .temporary),
]

struct SQLStateTests {
    @Test(arguments: classes)
    func codesAreSortedByWhetherTheyHeal(code: String, kind: Rejection.Kind) {
        let error = ServerError(severity: "ERROR", code: code, message: "text")
        #expect(error.rejection.kind == kind)
    }

    @Test(arguments: violations)
    func aViolationIsPermanentUnlessItsTextSaysOtherwise(text: String, kind: Rejection.Kind) {
        let error = ServerError(severity: "FATAL", code: "08P01", message: text)
        #expect(error.rejection.kind == kind)
    }

    /// Hints fit the case: only a wrong password asks to look at the password.
    @Test(arguments: [
        ("28P01", "password authentication failed for user \"u\"", nil),
        (
            "28000",
            "no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption",
            "TLS"
        ),
        (
            "28000",
            "no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", SSL off",
            "TLS"
        ),
        ("28000", "pg_hba.conf rejects connection for host \"1.2.3.4\"", "pg_hba.conf"),
        ("28000", "Peer authentication failed for user \"u\"", "operating system"),
        ("28000", "Ident authentication failed for user \"u\"", "operating system"),
        ("28000", "GSSAPI authentication failed for user \"u\"", "something else than a password"),
        ("28000", "certificate authentication failed for user \"u\"", "something else"),
        ("28000", "LDAP authentication failed for user \"u\"", nil),
        ("28000", "role \"u\" does not exist", "check the user"),
        ("28000", "role \"u\" is not permitted to log in", "check the user"),
        ("28000", "Passwort-Authentifizierung fehlgeschlagen", ""),
        ("08P01", "SSL required", "TLS"),
    ])
    func adviceFitsTheCase(code: String, text: String, part: String?) {
        let advice = ServerError(severity: "FATAL", code: code, message: text).rejection.advice
        switch part {
        case nil: #expect(advice == nil)
        case ""?: #expect(advice == "")
        case let part?: #expect(advice?.contains(part) == true)
        }
    }
}
