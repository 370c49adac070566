// SPDX-License-Identifier: Apache-2.0

internal import CLinux
public import Glibc

/// A thread of the kernel's, for work that blocks.
///
/// Its name (at most 15 octets) shows in `top -H` and in debuggers.
public final class NamedThread: @unchecked Sendable {
    // Sound: `handle` is written once, before anyone else can hold the object.
    private var handle = pthread_t()
    private let isJoined = Lock(false)

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts the thread at once.
    ///
    /// `stackOctets` is its stack's size.
    public init(_ name: String, stackOctets: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackOctets)
        defer { pthread_attr_destroy(&attributes) }
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let status = pthread_create(
            &handle,
            &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                clinux_set_thread_name(start.name)
                start.body()
                return nil
            },
            start.toOpaque()
        )
        precondition(status == 0, "pthread_create failed: \(status)")
    }

    /// Waits until the thread has ended.
    ///
    /// Only the first call waits: a handle joined twice may by then be another thread's.
    public func join() {
        let wasJoined = isJoined.withLock { isJoined in
            defer { isJoined = true }
            return isJoined
        }
        if !wasJoined { pthread_join(handle, nil) }
    }
}

/// One value per thread, made when a thread first asks for it and released when that thread ends.
public final class ThreadLocal<Value: AnyObject>: @unchecked Sendable {
    // Sound: pthread keys are safe to share; each slot is seen by its own thread only.
    @usableFromInline var key: UInt32 = 0

    public init() {
        let status = pthread_key_create(&key) { value in
            guard let value else { return }
            Unmanaged<AnyObject>.fromOpaque(value).release()
        }
        precondition(status == 0, "pthread_key_create failed: \(status)")
    }

    deinit { pthread_key_delete(key) }

    /// This thread's value, if it has one; setting it releases the one before.
    public var value: Value? {
        @inlinable get {
            guard let pointer = pthread_getspecific(key) else { return nil }
            return Unmanaged<Value>.fromOpaque(pointer).takeUnretainedValue()
        }
        set {
            if let old = pthread_getspecific(key) { Unmanaged<Value>.fromOpaque(old).release() }
            pthread_setspecific(key, newValue.map { UnsafeRawPointer(Unmanaged.passRetained($0).toOpaque()) })
        }
    }
}
