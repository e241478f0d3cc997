internal import Glibc

/// The files of `Fixtures/`.
package enum Fixtures {
    private static let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Fixtures/"

    package static func path(_ name: String) -> String { folder + name }

    package static func text(_ name: String) -> String {
        guard let file = fopen(folder + name, "r") else {
            preconditionFailure("no fixture \(folder)\(name)")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte >= 0 { bytes.append(UInt8(byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names of the files in a folder, in order.
    package static func names(in subfolder: String) -> [String] {
        guard let directory = opendir(folder + subfolder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(cString: $0)
                }
            }
            if !name.hasPrefix(".") { names.append("\(subfolder)/\(name)") }
        }
        return names.sorted()
    }
}
