// SPDX-License-Identifier: Apache-2.0

internal import Metrics
internal import Runtime
internal import Sockets
internal import Storage
internal import TLS
internal import Wire

/// What is known of the process, its loops, its certificate, its queues, whenever somebody asks.
enum ServerMetrics {
    static func collect(_ foundation: Server.Foundation, tls: TLSServerContext?) {
        let registry = foundation.metrics
        registry.collect { writer in
            writer.family("postern_build_info", .gauge, "Which version runs.")
            writer.sample("postern_build_info", [("version", PosternCommand.version)], 1)
            write(ProcessUsage.now(), to: &writer)
        }
        let loops = foundation.group.loops
        registry.collect { writer in await write(loops, to: &writer) }
        let store = foundation.store
        registry.collect { writer in
            await writeQueue(store, to: &writer)
            writer.gauge(
                "postern_quarantined_messages",
                "Messages stored unread because reading them once ended the process.",
                store.quarantine.count
            )
        }
        let search = foundation.search
        registry.collect { writer in
            let backlog = search.backlog
            writer.gauge("postern_search_accounts_behind", "Accounts whose index lacks something.", backlog.accounts)
            writer.gauge(
                "postern_search_lag_seconds",
                "For how long the first of them has lacked it.",
                nanoseconds: backlog.nanoseconds
            )
        }
        guard let tls else { return }
        registry.collect { writer in
            writer.gauge(
                "postern_tls_cert_expiry_timestamp_seconds",
                "When the certificate that the listeners show expires.",
                tls.certificateExpiry
            )
        }
    }

    /// The names are those that every client library of Prometheus gives them.
    private static func write(_ usage: ProcessUsage, to writer: inout MetricsWriter) {
        writer.family("process_cpu_seconds_total", .counter, "CPU time of the process.")
        writer.sample("process_cpu_seconds_total", text: MetricsWriter.seconds(nanoseconds: usage.cpuNanoseconds))
        writer.gauge("process_max_fds", "Descriptors it may have open.", usage.descriptorLimit)
        if let open = usage.openDescriptors { writer.gauge("process_open_fds", "Descriptors open.", open) }
        if let octets = usage.residentOctets {
            writer.gauge("process_resident_memory_bytes", "Memory in use.", octets)
        }
        if let octets = usage.virtualOctets {
            writer.gauge("process_virtual_memory_bytes", "Addresses in use.", octets)
        }
        if let start = usage.startMilliseconds {
            writer.gauge(
                "process_start_time_seconds",
                "When it began.",
                nanoseconds: UInt64(clamping: start) * 1_000_000
            )
        }
    }

    private static func write(_ loops: [EventLoop], to writer: inout MetricsWriter) async {
        let name = "postern_event_loop_turn_seconds"
        writer.family(name, .histogram, "Turns of the event loops: whatever comes up waits for their end.")
        for loop in loops {
            let turns = await loop.run { loop.turns }
            writer.histogram(
                name,
                [("loop", "\(loop.index)")],
                Durations(buckets: turns.buckets, nanoseconds: turns.nanoseconds),
                bounds: LoopTurns.bounds
            )
        }
    }

    private static func writeQueue(_ store: Store, to writer: inout MetricsWriter) async {
        guard let (backlog, now) = try? await store.read({ (try $0.outbox.backlog(), $0.now) }) else { return }
        writer.family("postern_queue_recipients", .gauge, "Recipients that wait for a delivery.")
        for state in RecipientState.allCases where !state.isFinal || backlog.recipients[state] != nil {
            writer.sample("postern_queue_recipients", [("state", state.rawValue)], backlog.recipients[state] ?? 0)
        }
        let age = backlog.oldest.map { max(0, now.milliseconds - $0.milliseconds) } ?? 0
        writer.gauge(
            "postern_queue_oldest_age_seconds",
            "Since the oldest of their messages was accepted.",
            nanoseconds: UInt64(clamping: age) * 1_000_000
        )
    }
}
