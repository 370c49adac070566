# SPDX-License-Identifier: Apache-2.0
"""(a) The HTTP server: a small answer, a list and a message, beside nginx's small answer and a C loop that parses nothing."""
import os
import corpus, machine
from peers import Hello, Nginx
from postern import Postern
from table import Comparison, measured, wrk


def run(options, binary, directory):
    machine.packages("wrk", "nginx-light", "gcc", "libc6-dev")
    postern = Postern(binary, directory + "/http")
    servers = [postern]
    try:
        postern.add_account("bench")
        postern.fill("bench", corpus.write_mbox(directory + "/http.mbox", range(options.messages)))
        postern.settle()
        tls = postern.data + "/tls"
        nginx, hello = Nginx(directory, tls + "/certificate.pem", tls + "/key.pem"), Hello(directory)
        servers += [nginx, hello]
        newest = postern.call("GET", "/v1/accounts/bench/messages?limit=1")["items"][0]["id"]
        plain, secure = "http://" + postern.ready["http"], "https://" + postern.ready["https"]
        token, close = [postern.authorization], ["Connection: close"]
        comparison = Comparison(f"HTTP, {options.connections} connections", options.rounds)

        def case(name, server, url, against=None, headers=()):
            comparison.add(name, lambda: measured(server.seconds, lambda: wrk(url, options.connections, options.seconds, headers)),
                           against)

        small, small_tls = "nginx, small answer", "nginx, small answer, TLS"
        each, each_tls = "nginx, a connection per request", "nginx, a connection per request, TLS"
        case("C loop, no parsing", hello, f"http://127.0.0.1:{hello.port}/", small)
        case(small, nginx, f"http://127.0.0.1:{nginx.plain}/")
        case("GET /healthz", postern, plain + "/healthz", small)
        case(small_tls, nginx, f"https://127.0.0.1:{nginx.tls}/")
        case("GET /healthz, TLS", postern, secure + "/healthz", small_tls)
        case(each, nginx, f"http://127.0.0.1:{nginx.plain}/", None, close)
        case("GET /healthz, a connection per request", postern, plain + "/healthz", each, close)
        case(each_tls, nginx, f"https://127.0.0.1:{nginx.tls}/", None, close)
        case("GET /healthz, a connection per request, TLS", postern, secure + "/healthz", each_tls, close)
        case(f"50 newest of {options.messages:,}", postern, plain + "/v1/accounts/bench/messages?folder=inbox&limit=50", small, token)
        case("one message", postern, plain + f"/v1/accounts/bench/messages/{newest}", small, token)
        comparison.print()
    finally:
        for server in reversed(servers):
            server.stop()
