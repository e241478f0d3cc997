import Glibc

/// A curve over numbers that grow tenfold: bars for a terminal, and an SVG.
struct Chart {
    struct Point {
        let x: Double
        let y: Double
    }

    let title: String
    let unit: String
    let points: [Point]

    private var highest: Double { points.map(\.y).max() ?? 1 }
    private var lowest: Double { points.map(\.y).min() ?? 1 }
    /// True from the span on at which the small values would not be visible.
    private var isLogarithmic: Bool { highest > 20 * lowest }

    /// The height of a value, from 0 to 1.
    private func height(_ value: Double) -> Double {
        guard isLogarithmic else { return value / highest }
        return log(value / lowest * 2) / log(highest / lowest * 2)
    }

    // MARK: Text

    private static let barWidth = 50.0

    var text: String {
        let scale = isLogarithmic ? " (bars are logarithmic)" : ""
        let bars = points.map { point in
            let bar = String(repeating: "█", count: Int(height(point.y) * Chart.barWidth))
            let x = Table.grouped(Int(point.x))
            let label = String(repeating: " ", count: max(9 - x.count, 0)) + x
            return "\(label) \(bar) \(Table.number(point.y)) \(unit)"
        }
        return (["  \(title)\(scale)"] + bars).joined(separator: "\n")
    }

    // MARK: SVG

    private static let (width, depth, margin) = (640.0, 320.0, 60.0)

    private func place(_ point: Point) -> (x: Double, y: Double) {
        let (first, last) = (points.first?.x ?? 1, points.last?.x ?? 10)
        let along = log(point.x / first) / max(log(last / first), 1e-9)
        let x = Chart.margin + along * (Chart.width - 2 * Chart.margin)
        let y = Chart.depth - Chart.margin - height(point.y) * (Chart.depth - 2 * Chart.margin)
        return (x.rounded(), y.rounded())
    }

    private var svg: String {
        let places = points.map(place)
        let line = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
        let floor = Chart.depth - Chart.margin
        let marks = zip(points, places).map { point, place in
            """
            <circle cx="\(place.x)" cy="\(place.y)" r="4" fill="#c2410c"/>
            <text x="\(place.x)" y="\(place.y - 10)">\(Table.number(point.y))</text>
            <text x="\(place.x)" y="\(floor + 20)">\(Table.grouped(Int(point.x)))</text>
            """
        }
        let scale = isLogarithmic ? ", logarithmic" : ""
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Chart.width) \(Chart.depth)" \
            font-family="sans-serif" font-size="12" text-anchor="middle">
            <rect width="100%" height="100%" fill="white"/>
            <text x="\(Chart.width / 2)" y="24" font-size="15">\(title) (\(unit)\(scale))</text>
            <path d="M\(Chart.margin) \(floor)H\(Chart.width - Chart.margin)" stroke="#888"/>
            <polyline points="\(line)" fill="none" stroke="#c2410c" stroke-width="2"/>
            \(marks.joined(separator: "\n"))
            </svg>

            """
    }

    func write(to folder: String, name: String) throws {
        mkdir(folder, 0o755)
        guard let file = fopen("\(folder)/\(name).svg", "w") else {
            throw BenchmarkError("cannot write to \(folder)")
        }
        fputs(svg, file)
        fclose(file)
    }
}
