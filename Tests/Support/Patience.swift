extension String {
    /// This URL with time enough for a loaded machine, where it names no time of its own. A test that is not about
    /// a timeout must not meet one.
    package var patient: String {
        guard !contains("timeout=") else { return self }
        return self + (contains("?") ? "&" : "?") + "connect_timeout=60s&publish_timeout=60s"
    }
}
