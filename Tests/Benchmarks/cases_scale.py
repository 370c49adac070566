# SPDX-License-Identifier: Apache-2.0
"""(d) What the server takes to start; (e) whether operations stay as fast when mailboxes grow."""
import socket, time
import machine
from postern import Postern
from table import Comparison, load, measured, request, write_requests

def first_answer(postern, path):
    """Milliseconds from the command to the first answer."""
    connection = socket.create_connection(("127.0.0.1", postern.port))
    connection.sendall(request("GET", path, postern.ready["http"], [postern.authorization]))
    connection.recv(4096)
    elapsed = time.perf_counter() - postern.began
    connection.close()
    return elapsed * 1000


def grow(program, binary, directory, sizes):
    """A store for each size, filled by SMTP, which is faster than an import because it commits many messages at once."""
    stores = {}
    for size in sizes:
        data = f"{directory}/store-{size}"
        postern = Postern(binary, data, smtp=True)
        postern.add_account("bench1")
        _, seconds, *_ = load(program, "smtp", "127.0.0.1", postern.smtp_port, "-c", 50, "-n", size, "-l", 1000)
        machine.say(f"{size:,} messages taken in in {seconds:.0f} s, {size / seconds:,.0f}/s")
        postern.settle()
        postern.stop()
        stores[size] = (data, size / seconds)
    return stores


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev")
    program = machine.compiled("load", directory)
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= options.largest]
    stores = grow(program, binary, directory, sizes)
    print("\n### Start\n\n| messages | ms to ready | ms to the first list | MB resident then | taken in/s |\n|---:|---:|---:|---:|---:|")
    for size in [0, *sizes]:
        data = stores[size][0] if size else directory + "/store-0"
        if not size:
            empty = Postern(binary, data)
            empty.add_account("bench1")
            empty.stop()
        readings = []
        for _ in range(options.rounds):
            postern = Postern(binary, data)
            answered = first_answer(postern, "/v1/accounts/bench1/messages?folder=inbox")
            readings.append((postern.started * 1000, answered, machine.resident(postern.pid) / 1e6))
            postern.stop()
        ready, answered, octets = sorted(readings)[len(readings) // 2]
        rate = f"{stores[size][1]:,.0f}" if size else ""
        print(f"| {size:,} | {ready:.0f} | {answered:.0f} | {octets:.1f} | {rate} |", flush=True)
    comparison, servers = Comparison("The same with more messages, 16 clients", options.rounds), []
    try:
        for size in sizes:
            postern = Postern(binary, stores[size][0], smtp=True)
            servers.append(postern)
            path, host = "/v1/accounts/bench1/messages", postern.ready["http"]
            ids = [item["id"] for item, _ in zip(postern.items(path + "?fields=id"), range(500))]
            listing = [request("GET", path + "?folder=inbox&limit=50", host, [postern.authorization])]
            fetching = [request("GET", f"{path}/{id}", host, [postern.authorization]) for id in ids]
            small = min(sizes)

            def case(name, *arguments, postern=postern, size=size):
                comparison.add(f"{name}, {size:,}", lambda: measured(postern.seconds, lambda: load(program, *arguments)),
                               None if size == small else f"{name}, {small:,}")

            for name, requests in (("list 50", listing), ("fetch one", fetching)):
                case(name, "http", "127.0.0.1", postern.port, "-c", 16, "-s", options.seconds,
                     write_requests(f"{directory}/{name}-{size}".replace(" ", "-"), requests))
            case("take in 10 KiB", "smtp", "127.0.0.1", postern.smtp_port, "-c", 16, "-n", 1000, "-a", 1 << 30)
        comparison.cases.sort(key=lambda case: case[0].split(",")[0])
        comparison.print()
    finally:
        for server in servers:
            server.stop()
