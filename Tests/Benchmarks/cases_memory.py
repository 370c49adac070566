# SPDX-License-Identifier: Apache-2.0
"""(d) What the server takes at rest, and for each connection that waits."""
import socket, ssl, time
import machine
from postern import Postern
from table import request

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def held(address, count, asked, tls=False):
    """So many connections that have had one answer, or its beginning, and wait."""
    host, port = address.rsplit(":", 1)
    context = ssl._create_unverified_context()
    connections = []
    for _ in range(count):
        connection = socket.create_connection((host, int(port)))
        if tls:
            connection = context.wrap_socket(connection)
        connection.sendall(asked)
        connection.recv(4096)
        connections.append(connection)
    return connections


def run(options, binary, directory):
    print("\n### Memory at rest\n")
    print("| what | count | MB before | MB with them | octets each |")
    print("|---|---:|---:|---:|---:|")
    plenty = machine.allow_descriptors(options.idle)
    for name, door, count in (("idle connection", "http", plenty), ("idle TLS connection", "https", plenty // 5),
                              ("event stream", "http", plenty // 5), ("event stream over TLS", "https", plenty // 5)):
        # Each on a fresh server, because memory that was used once is not given back.
        postern = Postern(binary, directory + "/idle", settings=[f"events.streamsPerToken={count + 100}"])
        try:
            if name.startswith("event"):
                if door == "http":
                    postern.add_account("bench1")
                asked = request("GET", "/v1/accounts/bench1/events", postern.ready[door],
                                [postern.authorization, "Accept: text/event-stream"])
            else:
                asked = HEALTH
            first = held(postern.ready[door], 10, asked, door == "https")
            before = machine.resident(postern.pid)
            connections = held(postern.ready[door], count, asked, door == "https")
            time.sleep(1)
            after = machine.resident(postern.pid)
            print(f"| {name} | {count:,} | {before / 1e6:.1f} | {after / 1e6:.1f} | {(after - before) / count:,.0f} |", flush=True)
            for connection in first + connections:
                connection.close()
        finally:
            postern.stop()
