#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More than a server can take: descriptors, requests, octets, guesses. It sheds, says so, and goes on by itself.

usage: overload.py POSTERN FOLDER
"""
import concurrent.futures, json, os, socket, sys, time
from serving import Server, check, finish, until

postern, folder = sys.argv[1:3]
os.makedirs(folder, exist_ok=True)


def answer(connection):
    """All that comes until the end of the stream."""
    octets = b""
    try:
        while piece := connection.recv(65536):
            octets += piece
    except OSError:
        pass
    return octets


def checks(server, call):
    status, _, content = call("/readyz?verbose")
    return status, {c["name"]: c["status"] for c in json.loads(content)["checks"]}


def descriptors():
    """300 connections, 256 descriptors."""
    server = Server(postern, folder + "/descriptors", descriptors=256)
    watcher = server.connection()
    ask = lambda path: server.call(path, token=None, connection=watcher)
    check("it is ready", checks(server, ask)[0] == 200)
    crowd, refused = [], 0
    for _ in range(300):
        crowd.append(server.socket())
    time.sleep(0.5)
    for connection in crowd:
        connection.setblocking(False)
        try:
            refused += connection.recv(12) in (b"HTTP/1.1 503", b"")
        except BlockingIOError:
            pass
        except ConnectionResetError:
            refused += 1
    print(f"     of 300 connections {refused} were turned away")
    check("some were turned away and some were not", 0 < refused < 300, refused)
    status, found = checks(server, ask)
    check("readyz says so to a connection that it had", status == 503 and "failed" in found.values(), (status, found))
    check("readyz says so over the unix socket", checks(server, server.local)[0] == 503)
    check("the store still takes writes", server.call(
        "/v1/accounts", "POST", {"kind": "local", "address": "a@example.org"}, connection=watcher)[0] == 201)
    check("the log says what was shed and why", until(lambda: '"reason":"server_full"' in server.log()), server.log()[-2000:])
    for connection in crowd:
        connection.close()
    check("it accepts again by itself", until(lambda: (lambda a: a and a[0] == 200)(attempt(server, "/readyz"))))
    status, _, metrics = server.call("/metrics")
    check("the metrics count it", b'postern_connections_refused_total{listener="http",reason="server_full"} ' in metrics)
    check("it ends in order", server.stop() == 0)


def attempt(server, path):
    try:
        return server.call(path, token=None)
    except OSError:
        return None


def many_and_strange():
    """A thousand requests at once, half-closed peers, heads and bodies that are too large or too slow."""
    server = Server(postern, folder + "/strange", "http.headerSeconds=2")
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with server.socket() as connection:
        last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        connection.sendall(request * 999 + last)
        got = answer(connection)
        check("1,000 requests at once are answered", got.count(b"HTTP/1.1 200 OK\r\n") == 1000, got.count(b"HTTP/1.1 "))
    with server.socket() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        check("who has closed its half gets its answer", answer(connection).startswith(b"HTTP/1.1 200 "))
    before = server.resident()
    heads = {
        "500 fields": (b"".join(b"X-%d: y\r\n" % i for i in range(500)), b"431"),
        "a field of a million octets": (b"X: " + b"y" * 1_000_000 + b"\r\n", b"431"),
    }
    for name, (fields, status) in heads.items():
        with server.socket() as connection:
            try:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n")
            except OSError:
                pass
            check(name + " are refused", answer(connection)[9:12] == status)
    post = (b"POST /v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
            + server.token.encode() + b"\r\n")
    with server.socket() as connection:
        connection.sendall(post + b"Content-Length: 10000000000\r\n\r\n")
        check("a body announced too large is refused at once", answer(connection)[9:12] == b"413")
    with server.socket() as connection:
        connection.sendall(post + b"Transfer-Encoding: chunked\r\n\r\n")
        piece, sent = b"10000\r\n" + b"x" * 65536 + b"\r\n", 0
        try:
            while sent < 64 << 20:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        check("a body without end is cut off early", sent < 64 << 20 and answer(connection)[9:12] in (b"413", b""), sent)
    with server.socket() as connection:
        got = b""
        connection.settimeout(0.2)
        for byte in b"GET /healthz HTTP/1.1\r\n" + b"X-Slow: " + b"z" * 1000:
            try:
                connection.sendall(bytes([byte]))
                got = connection.recv(4096)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        check("a head that trickles in is given up", got[9:12] == b"408", got)
    check("memory stays bounded", server.resident() - before < 64 << 20, server.resident() - before)
    _, _, metrics = server.call("/metrics")
    check("the metrics count what was refused, by reason", b'postern_http_rejected_total{reason="header_timeout"} 1' in metrics)
    check("it ends in order", server.stop() == 0)


def requests_of_a_token():
    server = Server(postern, folder + "/requests", "limits.requestsPerSecond=5", "limits.requestBurst=10")
    connection = server.connection()
    answers = [server.call("/v1/tokens", connection=connection) for _ in range(15)]
    states = [a[0] for a in answers]
    check("a burst is granted, then no more", states[:10] == [200] * 10 and 429 in states, states)
    check("the policy is told", answers[0][1].get("ratelimit-policy") == '"requests";q=10;w=2', answers[0][1])
    check("what is left is told", answers[0][1].get("ratelimit", "").startswith('"requests";r=9;t='), answers[0][1])
    refused = next(a for a in answers if a[0] == 429)
    check("the refusal says when to come again", int(refused[1].get("retry-after", 0)) >= 1, refused)
    check("and is a problem document", json.loads(refused[2])["code"] == "rate_limited", refused)
    status, fields, content = server.call("/v1/tokens", "POST", {"name": "other", "scopes": ["admin"]})
    while status == 429:
        time.sleep(int(fields["retry-after"]))
        status, fields, content = server.call("/v1/tokens", "POST", {"name": "other", "scopes": ["admin"]})
    check("after waiting as told it goes on", status == 201, content)
    other = json.loads(content)["token"]
    check("another token has its own budget", server.call("/v1/tokens", token=other)[1]["ratelimit"].startswith('"requests";r=9;'))
    check("the unix socket has no limit", all(server.local("/v1/tokens")[0] == 200 for _ in range(30)))
    check("requests without a token have none", all(server.call("/healthz", token=None)[0] == 200 for _ in range(30)))
    check("it is counted", b'postern_http_rejected_total{reason="rate_limited"} ' in server.call("/metrics", token=None)[2])
    check("it ends in order", server.stop() == 0)


def guesses():
    """Wrong tokens and passwords from one place."""
    server = Server(postern, folder + "/guesses", "limits.trustedNetworks=10.0.0.0/8")
    wrong = "pst_" + "a" * 52
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: server.call("/v1/accounts", token=wrong), range(60)))
    states = sorted(a[0] for a in answers)
    print("     statuses:", {s: states.count(s) for s in set(states)})
    check("wrong tokens are refused, and after many not looked at", set(states) == {401, 429}, states)
    late = next(a for a in answers if a[0] == 429)
    check("with the time to wait", int(late[1]["retry-after"]) >= 1 and json.loads(late[2])["code"] == "too_many_failures")
    check("a good token from there is still good", server.call("/v1/accounts")[0] == 200)
    metrics = server.call("/metrics")[2]
    for result in (b"refused", b"throttled"):
        check(f"{result.decode()} tokens are counted", b'postern_auth_attempts_total{protocol="http",result="%s"}' % result in metrics)
    check("it ends in order", server.stop() == 0)


def sessions():
    """More SMTP sessions than there may be; near the limit the server is impatient."""
    server = Server(postern, folder + "/sessions", "smtp.sessions=5")
    crowd = [server.socket("smtp") for _ in range(5)]
    check("five are greeted", all(c.recv(4)[:3] == b"220" for c in crowd))
    with server.socket("smtp") as connection:
        check("the sixth is told to come again", answer(connection).startswith(b"421 4.7.0 "))
    for c in crowd[1:]:
        c.close()
    check("then another is greeted", until(lambda: (lambda c: (c.recv(4)[:3] == b"220", c.close())[0])(server.socket("smtp"))))
    metrics = server.call("/metrics")[2]
    check("it is counted", b'postern_connections_refused_total{listener="smtp",reason="listener_full"} ' in metrics)
    check("it ends in order", server.stop() == 0)


descriptors()
many_and_strange()
requests_of_a_token()
guesses()
sessions()
finish()
