/// Draws an outcome for a terminal.
struct Table {
    private let outcome: Outcome

    init(_ outcome: Outcome) {
        self.outcome = outcome
    }

    var text: String {
        let measured = outcome.measurement.subjects.filter { outcome.samples[$0.name] != nil }
        let rows = [header] + measured.map(row)
        let widths = header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            row.indices.map { pad(row[$0], to: widths[$0], isName: $0 == 0) }
                .joined(separator: "  ")
        }
        return "\n"
            + ([outcome.measurement.title] + lines + skipped + targets).joined(separator: "\n")
    }

    private var leading: Metric { outcome.measurement.metrics[0] }

    private var header: [String] {
        ["", leading.rawValue, "from–to"] + outcome.measurement.metrics.dropFirst().map(\.rawValue)
            + outcome.peers.map { "× \($0)" }
    }

    private func row(_ subject: Measurement.Subject) -> [String] {
        let values = outcome.values(leading, of: subject.name)
        let spread = Table.number(values.min()) + "–" + Table.number(values.max())
        let others = outcome.measurement.metrics.map { outcome.median($0, of: subject.name) }
        let ratios = outcome.peers.map { peer in
            peer == subject.name
                ? "" : Table.number(outcome.ratio(leading, of: subject.name, to: peer))
        }
        let figures = others.map { Table.number($0) }
        return [subject.name, figures[0], spread] + figures.dropFirst() + ratios
    }

    private var skipped: [String] {
        outcome.measurement.subjects.compactMap { subject in
            subject.missing.map { "  \(subject.name) skipped: \($0)" }
        }
    }

    private var targets: [String] {
        outcome.measurement.targets.map { target in
            let limit = "\(target.limit)" + (target.peer.map { " × \($0)" } ?? "")
            let head = "  \(target.subject), \(target.metric.rawValue) \(target.bound.rawValue) "
            guard let value = outcome.value(for: target) else {
                return head + "\(limit): not measured"
            }
            let verdict = target.isMet(by: value) ? "met" : "NOT MET"
            return head + "\(limit): \(Table.number(value)), \(verdict)"
        }
    }

    private func pad(_ text: String, to width: Int, isName: Bool) -> String {
        let space = String(repeating: " ", count: max(width - text.count, 0))
        return isName ? text + space : space + text
    }

    /// Writes a number with three significant digits, and separated thousands.
    static func number(_ value: Double?) -> String {
        guard let value else { return "–" }
        guard value.isFinite else { return "∞" }
        let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let whole = grouped(scaled / Int(scale))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + whole }
        let fraction = String(scaled % Int(scale))
        return sign + whole + "." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    static func grouped(_ number: Int) -> String {
        number < 1000
            ? String(number)
            : grouped(number / 1000) + "," + String(String(number % 1000 + 1000).dropFirst())
    }
}
