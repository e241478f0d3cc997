package import BroadcasterWire

/// An error or notice of a Postgres server, with all its fields ("Error and Notice Message Fields").
package struct ServerError: Hashable, Sendable {
    /// By their letters, in the order in which they came.
    package let fields: [(type: UInt8, value: String)]

    /// An error that came before the protocol: a text alone.
    init(beforeProtocol text: String) {
        fields = [(UInt8(ascii: "S"), "FATAL"), (UInt8(ascii: "M"), text)]
    }

    package init(severity: String, code: String, message: String) {
        fields = [
            (UInt8(ascii: "S"), severity), (UInt8(ascii: "V"), severity), (UInt8(ascii: "C"), code),
            (UInt8(ascii: "M"), message),
        ]
    }

    init(_ reader: inout ByteReader) throws(ProtocolError) {
        var fields: [(type: UInt8, value: String)] = []
        while case let type = try reader.byte(), type != 0 {
            fields.append((type, try reader.string()))
        }
        self.fields = fields
    }

    private func field(_ type: Unicode.Scalar) -> String {
        fields.first { $0.type == UInt8(ascii: type) }?.value ?? ""
    }

    /// Five characters, the same in every language ("PostgreSQL Error Codes").
    package var code: String { field("C") }
    package var message: String { field("M") }

    /// Not translated, unlike `S`; servers before 9.6 send the latter alone.
    package var severity: String {
        let stable = field("V")
        return stable.isEmpty ? field("S") : stable
    }

    /// The server ends the connection after this.
    package var isFatal: Bool {
        // An immediate shutdown and a crashed sibling tell so in a notice: 57P01, 57P02.
        severity == "FATAL" || severity == "PANIC" || code == "57P01" || code == "57P02"
    }

    /// Worth a line in a log, such as "NOTIFY queue is 50% full".
    var isWarning: Bool { severity == "WARNING" }

    package static func == (one: ServerError, other: ServerError) -> Bool {
        one.fields.map(\.type) == other.fields.map(\.type)
            && one.fields.map(\.value) == other.fields.map(\.value)
    }

    package func hash(into hasher: inout Hasher) {
        for field in fields {
            hasher.combine(field.type)
            hasher.combine(field.value)
        }
    }

    func append(to body: inout [UInt8]) {
        for (type, value) in fields {
            body.append(type)
            body.appendCString(value)
        }
        body.append(0)
    }

    /// The code of a statement that was cancelled.
    static let cancelled = "57014"
    /// The code of a notice that a name was cut.
    static let nameTooLong = "42622"

    /// The error as a refusal: its kind by the SQLSTATE, with the text for a person.
    package var rejection: Rejection {
        Rejection(
            kind: SQLState.kind(of: code, saying: message),
            message: code.isEmpty
                ? String(message.prefix { !$0.isNewline }) : "\(message) (SQLSTATE \(code))",
            advice: advice)
    }

    private static let needsTLS = "the server may ask for TLS: write sslmode=require, or more"

    /// The advice for a refused login. 28P01 is a wrong password, of which the kind says enough; 28000 is anything
    /// else (`auth_failed` and `ClientAuthentication` in auth.c of 15 to 18). Servers that speak another language get
    /// none.
    private var advice: String? {
        switch code {
        case "28000" where says("no encryption") || says("SSL off"): ServerError.needsTLS
        case "28000" where says("SSL encryption") || says("SSL on"):
            "the server may want a connection without TLS: sslmode=disable, on a network that you trust"
        case "28000" where says("pg_hba.conf"):
            "the server's pg_hba.conf does not let this user in from here"
        case "28000" where says("Peer authentication") || says("Ident authentication"):
            "the server asks the operating system who the user is: connect as that one, or change"
                + " pg_hba.conf"
        case "28000" where says("does not exist") || says("not permitted to log in"):
            "check the user"
        // Those ask for the password, and give it to somebody else to check.
        case "28000" where ["LDAP", "PAM", "RADIUS", "BSD"].contains(where: says): nil
        case "28000" where says("GSSAPI") || says("SSPI") || says("certificate"):
            "the server asks for something else than a password"
        case "28000": ""
        case "08P01" where says("SSL required") || says("SSL connection required"):
            ServerError.needsTLS
        default: nil
        }
    }

    private func says(_ text: String) -> Bool {
        message.containsBytes(text)
    }
}
