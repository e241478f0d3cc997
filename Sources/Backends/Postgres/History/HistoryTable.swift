import BroadcasterAuthentication

/// The tables that keep the channels' messages, and the statements on them.
///
/// A row for each channel counts its messages: its lock is the order of commits, so that no reader passes over a message
/// that is committed later, the numbers have no holes, and what is missing is counted exactly. An identity column can do
/// none of these.
package struct HistoryTable: Hashable, Sendable {
    /// As it is written in the URL.
    private let name: String
    /// Messages of each channel that are kept, about.
    private let length: Int?
    private let age: Duration?

    package init(_ name: String, length: Int?, age: Duration?) {
        self.name = name
        self.length = length
        self.age = age
    }

    /// The reason for which the name cannot be used; nil where it can.
    static func refusal(of name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isGood = parts.count <= 2 && parts.allSatisfy { !$0.isEmpty && $0.utf8.count <= 50 }
        if isGood, !name.utf8.contains(0) { return nil }
        return "history names a table, as messages or myschema.messages, of at most 50 bytes a part"
    }

    private func quoted(_ suffix: String = "") -> String {
        var parts = name.split(separator: ".").map(String.init)
        parts[parts.count - 1] += suffix
        return parts.map(Quoting.identifier).joined(separator: ".")
    }

    private var messages: String { quoted() }
    private var channels: String { quoted("_channels") }
    private var publishFunction: String { quoted("_publish") }

    /// The channel of NOTIFY that tells of new messages: a digest, so that names may be of any length.
    func bell(of channel: String) -> String {
        let digest = MD5.digest(Array("\(name):\(channel)".utf8))
        return "bc_" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: Statements

    /// For `$1` a channel and `$2` an array of messages: their epoch, the number of the first, and the time of all.
    var publish: String {
        "SELECT a, b, c FROM \(publishFunction)($1::text, $2::bytea[]) AS p(a, b, c)"
    }

    /// The columns of each row of a reading: of the channel its epoch, its newest number, that message's time, and its
    /// oldest number; of a message its number, its time and its content. A channel without messages has one row.
    private func reading(_ rows: String) -> String {
        """
        SELECT c.epoch, c.top, COALESCE(t.at, 0), o."offset", m."offset", m.at, m.payload \
        FROM \(channels) c \
        LEFT JOIN LATERAL (SELECT \(HistoryTable.time) AS at FROM \(messages) \
        WHERE channel = c.channel AND "offset" = c.top) t ON true \
        LEFT JOIN LATERAL (SELECT "offset" FROM \(messages) WHERE channel = c.channel \
        AND "offset" > c.floor ORDER BY "offset" LIMIT 1) o ON true \
        LEFT JOIN LATERAL (\(rows)) m ON true \
        WHERE c.channel = $1::text ORDER BY m."offset"
        """
    }

    /// Microseconds since 1970.
    private static let time = "(extract(epoch FROM created) * 1000000)::bigint"
    private static let columns = "\"offset\", \(time) AS at, payload"
    /// The bytes after which a page ends: the server adds them up, so that no page is large by surprise.
    private static let pageBytes = 262_144

    /// For `$1` a channel, `$2` to `$3` the numbers, `$4` the most rows.
    var forwards: String {
        reading(
            """
            SELECT "offset", at, payload FROM (SELECT \(HistoryTable.columns), \
            sum(octet_length(payload)) OVER (ORDER BY "offset") - octet_length(payload) AS before \
            FROM (SELECT * FROM \(messages) WHERE channel = c.channel AND "offset" >= $2::bigint \
            AND "offset" <= $3::bigint ORDER BY "offset" LIMIT $4::bigint) s) p \
            WHERE before < \(HistoryTable.pageBytes)
            """)
    }

    /// For `$1` a channel, `$2` the number that it ends before, `$3` the most rows.
    var backwards: String {
        reading(
            """
            SELECT "offset", at, payload FROM (SELECT \(HistoryTable.columns), \
            sum(octet_length(payload)) OVER (ORDER BY "offset" DESC) - octet_length(payload) AS before \
            FROM (SELECT * FROM \(messages) WHERE channel = c.channel AND "offset" < $2::bigint \
            ORDER BY "offset" DESC LIMIT $3::bigint) s) p WHERE before < \(HistoryTable.pageBytes)
            """)
    }

    /// For `$1` a channel, `$2` seconds: the first message that is younger, without its content.
    var since: String {
        reading(
            """
            SELECT "offset", \(HistoryTable.time) AS at, NULL::bytea AS payload FROM \(messages) \
            WHERE channel = c.channel AND created >= clock_timestamp() - $2::bigint * interval '1 second' \
            ORDER BY "offset" LIMIT 1
            """)
    }

    /// For `$1` a channel: no message.
    var state: String {
        reading("SELECT NULL::bigint AS \"offset\", NULL::bigint AS at, NULL::bytea AS payload")
    }

    /// For `$1` an array of channels: each with its newest number.
    var tops: String { "SELECT channel, top FROM \(channels) WHERE channel = ANY($1::text[])" }

    /// For `$1` a channel, `$2` numbers and `$3` their times: the newest of these messages that is there.
    var newestOf: String {
        """
        SELECT m."offset", \(HistoryTable.time) FROM \(messages) m JOIN unnest($2::bigint[], $3::bigint[]) \
        AS e(number, at) ON m."offset" = e.number AND \(HistoryTable.time) = e.at \
        WHERE m.channel = $1::text ORDER BY m."offset" DESC LIMIT 1
        """
    }

    // MARK: Schema

    /// Makes the tables and the function, or brings the function up to date.
    var migration: String {
        """
        BEGIN;
        SELECT pg_advisory_xact_lock(7021914602001);
        CREATE TABLE IF NOT EXISTS \(channels) (
          channel text PRIMARY KEY,
          epoch bigint NOT NULL DEFAULT (('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint & 9223372036854775807),
          top bigint NOT NULL DEFAULT 0,
          floor bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 50);
        CREATE TABLE IF NOT EXISTS \(messages) (
          channel text NOT NULL,
          "offset" bigint NOT NULL,
          payload bytea NOT NULL,
          created timestamptz NOT NULL DEFAULT clock_timestamp(),
          PRIMARY KEY (channel, "offset")
        ) WITH (autovacuum_vacuum_scale_factor = 0.02);
        CREATE OR REPLACE FUNCTION \(publishFunction)(ch text, payloads bytea[], OUT epoch bigint, OUT first bigint, OUT created bigint)
          LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $body$
        #variable_conflict use_column
        DECLARE
          n bigint := cardinality(payloads); t bigint; f bigint; e bigint; h bigint; at timestamptz;
        BEGIN
          IF n = 0 THEN RETURN; END IF;
          INSERT INTO \(channels) AS c (channel, top) VALUES (ch, n)
            ON CONFLICT (channel) DO UPDATE SET top = c.top + n
            RETURNING c.top, c.floor, c.epoch INTO t, f, e;
          at := clock_timestamp();
          INSERT INTO \(messages) (channel, "offset", payload, created)
            SELECT ch, t - n + o, p, at FROM unnest(payloads) WITH ORDINALITY AS u(p, o);
          IF t / 128 <> (t - n) / 128 THEN
        \(retention)
          END IF;
          PERFORM pg_notify('bc_' || md5(\(Quoting.literal(name + ":")) || ch), (t - n + 1) || '-' || t);
          epoch := e; first := t - n + 1; created := (extract(epoch FROM at) * 1000000)::bigint;
        END $body$;
        COMMIT;
        """
    }

    /// Removes only what has newly become too old: without the lower bound it would walk over all that is gone already.
    private var retention: String {
        var lines = ["    h := f;"]
        if let length { lines.append("    h := greatest(h, t - \(length));") }
        if let age {
            lines.append(
                """
                    h := greatest(h, COALESCE((SELECT m."offset" - 1 FROM \(messages) m WHERE m.channel = ch AND m."offset" > f
                      AND m.created >= at - interval '\(age.components.seconds) seconds' ORDER BY m."offset" LIMIT 1), t));
                """)
        }
        lines.append(
            """
                IF h > f THEN
                  DELETE FROM \(messages) m WHERE m.channel = ch AND m."offset" > f AND m."offset" <= h;
                  UPDATE \(channels) c SET floor = h WHERE c.channel = ch;
                END IF;
            """)
        return lines.joined(separator: "\n")
    }
}

extension Quoting {
    /// Quotes a text as a literal, in a server of any setting of `standard_conforming_strings`.
    static func literal(_ text: String) -> String {
        var quoted = ""
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.unicodeScalars.append(scalar) }
            quoted.unicodeScalars.append(scalar)
        }
        return "E'\(quoted)'"
    }
}
