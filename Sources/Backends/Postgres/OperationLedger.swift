import BroadcasterWire

/// The requests that the server has not answered to the end, in the order in which they were sent, and what it has
/// said of the first of them so far.
struct OperationLedger: Sendable {
    /// All that the server said of a request.
    struct Answer {
        let operation: PostgresOperation
        let error: ServerError?
        /// Notices that a statement's name was cut, by the statement's place in the request.
        let truncations: [Int: ServerError]
    }

    private var operations = Queue<PostgresOperation>()
    private var failure: ServerError?
    /// The server says that it has carried out a statement.
    private var isComplete = false
    /// The statements of the first request that the server has parsed.
    private var parsed = 0
    private var truncations: [Int: ServerError] = [:]

    var isEmpty: Bool { operations.isEmpty }
    var first: PostgresOperation? { operations.first }

    mutating func append(_ operation: PostgresOperation) {
        operations.append(operation)
    }

    // MARK: The server's words on the first request

    /// Keeps the first error: those that follow are its consequences.
    mutating func failed(_ error: ServerError) {
        failure = failure ?? error
    }

    mutating func completed() {
        isComplete = true
    }

    mutating func statementParsed() {
        parsed += 1
    }

    /// The server has cut the name in the statement that it parses now: the scanner says so (`truncate_identifier` in
    /// scansup.c) before the statement counts as parsed.
    mutating func truncated(_ notice: ServerError) {
        truncations[parsed] = notice
    }

    /// Takes the first request out: the server has answered it to the end.
    mutating func finishFirst() throws(ProtocolError) -> Answer? {
        guard let operation = operations.removeFirst() else { return nil }
        let answer = Answer(operation: operation, error: failure, truncations: truncations)
        if failure == nil, !isComplete, operation.isStatement {
            throw ProtocolError(
                reading: "Postgres answer", expected: "CommandComplete for \(operation.name)",
                found: "ReadyForQuery")
        }
        failure = nil
        isComplete = false
        parsed = 0
        truncations = [:]
        return answer
    }
}
