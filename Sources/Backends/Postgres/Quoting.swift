/// Quotes names for use in a statement.
enum Quoting {
    /// Quotes as `quote_ident` does: in double quotes, which are doubled inside.
    static func identifier(_ name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { quoted.append("\"") }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
