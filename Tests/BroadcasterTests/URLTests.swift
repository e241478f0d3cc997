import Broadcaster
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct URLTableRow: Sendable, CustomTestStringConvertible {
    let url: String
    let meaning: String
    var testDescription: String { url }
}

private let rows: [URLTableRow] = Fixtures.text("urls.table").split(separator: "\n")
    .filter { !$0.hasPrefix("#") }
    .map { line in
        let end = line.indices.first { line[$0...].hasPrefix("  ") } ?? line.endIndex
        let meaning = line[end...].drop { $0 == " " }
        return URLTableRow(url: String(line[..<end]), meaning: String(meaning))
    }

struct URLTests {
    @Test(arguments: rows)
    func meansWhatTheTableSays(row: URLTableRow) {
        guard row.meaning.hasPrefix("error: ") else {
            #expect(throws: Never.self) { try Broadcast(row.url) }
            #expect((try? summary(of: row.url)) == row.meaning)
            return
        }
        let part = row.meaning.dropFirst("error: ".count)
        let error = #expect(throws: BroadcastError.self) { try Broadcast(row.url) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    private func summary(of text: String) throws -> String {
        var server = try ServerURL(text)
        if server.scheme == "memory" { return "memory" }
        var common = CommonOptions(
            connectTimeout: .zero, publishTimeout: .zero, pingInterval: .zero,
            maximumMessageSize: 0)
        try common.take(from: &server.options)
        let url = try RedisURL(server)
        let parts = [
            "\(url.endpoint)", url.user.map { "user=\($0)" }, url.password.map { "password=\($0)" },
            "db=\(url.database)", "\(url.dialect)", url.clientName.map { "name=\($0)" },
        ]
        return parts.compactMap { $0 }.joined(separator: " ")
    }

    @Test func theURLGoesBeforeTheOptions() throws {
        var url = try ServerURL("redis://h?connect_timeout=1s&publish_timeout=2&ping=500ms")
        var common = CommonOptions(
            connectTimeout: .zero, publishTimeout: .zero, pingInterval: .zero,
            maximumMessageSize: 7)
        try common.take(from: &url.options)
        let expected = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(2),
            pingInterval: .milliseconds(500), maximumMessageSize: 7)
        #expect(common == expected)
    }

    /// Promise 11, over many ways to write a URL wrongly.
    @Test(arguments: [
        "redis://user:PASSWORD@host:port", "redis://:PASSWORD@", "redis://PASSWORD",
        "redis://:PASSWORD@host?x=1", "redis://:PASSWORD@host/x", "redis://u:12/PASSWORD@host",
        "redis://u:12?PASSWORD@host", "redis://u:12#PASSWORD@host", "redis://u:12?a=PASSWORD@h",
        "redis://:PASSWORD%zz@host", "redis://host?password=PASSWORD&x=1", "rediss://:PASSWORD@h",
        "http://:PASSWORD@host", "redis://[PASSWORD", "redis://a:b:PASSWORD",
        "redis+unix://:PASSWORD@host/x", "memory://:PASSWORD@", "redis://:PASSWORD@a,b",
        "redis://host?password=PASSWORD%",
    ])
    func noErrorShowsThePassword(url: String) {
        do throws(BroadcastError) {
            _ = try Broadcast(url)
        } catch {
            #expect(!"\(error)".contains("PASSWORD"))
            #expect(!String(reflecting: error).contains("PASSWORD"))
        }
    }
}
