internal import BroadcasterSockets
internal import Glibc

package enum TemporaryFolder {
    package static func make() throws -> String {
        var name = Array("/tmp/broadcaster-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw SocketError("mkdtemp", code: errno) }
        let path = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: path, as: UTF8.self)
    }

    /// Writes a whole small file.
    package static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    package static func remove(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }
}
