/// A first-in, first-out queue in amortised constant time; a place that was left holds nothing.
///
/// Public and inlinable, so that other modules specialise it, unlike `package` declarations (Swift 6.3):
/// unspecialised, its metadata took a fifth of the time of publishing. No product exports it.
@frozen public struct Queue<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0

    /// An empty queue.
    @inlinable public init() {}

    /// The number of elements.
    @inlinable public var count: Int { elements.count - head }
    /// True if there is no element.
    @inlinable public var isEmpty: Bool { head == elements.count }

    /// The next element; nil if there is none.
    @inlinable public var first: Element? {
        get { isEmpty ? nil : elements[head] }
        _modify {
            var value: Element?
            if !isEmpty {
                value = elements[head]
                elements[head] = nil
            }
            defer { if !isEmpty { elements[head] = value } }
            yield &value
        }
    }

    /// The element added last.
    @inlinable public var last: Element? { isEmpty ? nil : elements[elements.count - 1] }

    /// The element at `offset` from the first.
    @inlinable public subscript(offset: Int) -> Element? {
        get { elements[head + offset] }
        set { elements[head + offset] = newValue }
    }

    /// Adds an element at the end.
    @inlinable public mutating func append(_ element: Element) {
        elements.append(element)
    }

    /// Removes and returns the first element.
    @inlinable public mutating func removeFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[head].take()
        head += 1
        if isEmpty {
            elements.removeAll(keepingCapacity: elements.capacity <= 4096)
            head = 0
        } else if head >= 64, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Removes the element at `offset`, at a cost that grows with `offset`.
    @inlinable public mutating func remove(at offset: Int) {
        for index in (head..<head + offset).reversed() { elements[index + 1] = elements[index] }
        _ = removeFirst()
    }

    /// Removes all elements.
    @inlinable public mutating func removeAll() {
        elements.removeAll()
        head = 0
    }
}

extension Queue: Sendable where Element: Sendable {}
