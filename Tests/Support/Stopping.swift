package import Glibc

/// Sends a signal to a process. For SIGSTOP, returns when every thread of it has stopped: kill(2) does not
/// wait for that, and on a busy machine a thread on another processor would answer once more.
package func send(_ signal: Int32, to process: pid_t) async {
    kill(process, signal)
    guard signal == SIGSTOP else { return }
    while !hasStopped(process) { await lookAgain() }
}

/// Whether each thread of the process is stopped, or the process has gone.
private func hasStopped(_ process: pid_t) -> Bool {
    let folder = "/proc/\(process)/task"
    guard let directory = opendir(folder) else { return true }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard !name.hasPrefix("."), let file = fopen("\(folder)/\(name)/stat", "r") else {
            continue
        }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 256)
        guard fgets(&text, 255, file) != nil else { continue }
        // proc(5): the state is the first letter behind the name, which stands in parentheses.
        let line = String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let state = line.lastIndex(of: ")").flatMap { line[$0...].dropFirst(2).first }
        guard state == "T" else { return false }
    }
    return true
}
