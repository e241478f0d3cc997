/// Waits a moment before a test looks again at something that tells nobody when it changes.
///
/// A loop that only yields keeps a core busy, and there may be two for a thousand tests and their servers.
package func lookAgain() async {
    try? await Task.sleep(for: .milliseconds(5))
}
