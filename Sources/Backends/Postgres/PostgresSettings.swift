import BroadcasterWire

/// libpq's parameters, each by the URL's options, else by a part of the URL, else by its environment variable.
///
/// An option that is there and empty hides the other two, as in libpq (`conninfo_storeval` and
/// `conninfo_add_defaults` in fe-connect.c, 18): it asks for the built-in default. A variable that is empty counts as
/// not set.
struct PostgresSettings {
    /// A parameter's text, and what an error calls it.
    struct Setting {
        let text: String
        let name: String
        fileprivate let isVariable: Bool
    }

    var options: URLOptions
    private let environment: ServerEnvironment

    init(_ options: URLOptions, _ environment: ServerEnvironment) {
        self.options = options
        self.environment = environment
    }

    /// - Parameter part: what the URL itself says, nil or empty where it says nothing.
    mutating func take(
        _ name: String, part: String? = nil, variable: String? = nil, isListed: Bool = true
    ) throws(ServerURLError) -> Setting? {
        if let text = try options.take(name, isListed: isListed) {
            return Setting(text: text, name: "the option \(name)", isVariable: false)
        }
        if let part, !part.isEmpty {
            return Setting(text: part, name: "the URL's \(name)", isVariable: false)
        }
        return variable.flatMap(self.variable)
    }

    func variable(_ name: String) -> Setting? {
        environment.variable(name).map { Setting(text: $0, name: name, isVariable: true) }
    }

    /// Takes `sslmode`, or one of libpq's two other words for it (`conninfo_uri_parse_params` and
    /// `conninfo_storeval`): `ssl=true`, as JDBC has it, and `requiressl`.
    mutating func takeEncryption() throws(ServerURLError) -> Setting? {
        let shown = options
        let mode = try options.take("sslmode", aliases: ["ssl", "requiressl"]) {
            (spelling, text) throws(ServerURLError) in
            switch spelling {
            case "sslmode": return text
            case "requiressl": return text.hasPrefix("1") ? "require" : "prefer"
            default:
                guard text == "true" else {
                    throw ServerURLError(
                        "the option ssl is true or left out, not \(shown.show(text))")
                }
                return "require"
            }
        }
        if let mode { return Setting(text: mode, name: "the option sslmode", isVariable: false) }
        if let variable = variable("PGSSLMODE") { return variable }
        guard let old = variable("PGREQUIRESSL"), old.text.hasPrefix("1") else { return nil }
        return Setting(text: "require", name: "PGREQUIRESSL=1, which is sslmode", isVariable: true)
    }

    /// Takes a parameter that has nothing to set here, and refuses what would need more than is there.
    mutating func check(_ option: ForeignOption) throws(ServerURLError) {
        let setting = try take(option.name, variable: option.variable, isListed: false)
        if let setting { try check(setting, option) }
    }

    func check(_ setting: Setting, _ option: ForeignOption) throws(ServerURLError) {
        try option.check(setting.text, as: setting.name) { show($0, of: setting) }
    }

    func show(_ text: String, of setting: Setting) -> String {
        setting.isVariable ? URLOptions.show(text) : options.show(text)
    }
}
