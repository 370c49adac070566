# SPDX-License-Identifier: Apache-2.0
"""(c) Mail taken in by SMTP and synced before it is acknowledged, beside Postfix into its queue and Dovecot's LMTP into mailboxes."""
import machine
from peers import Dovecot, Postfix
from postern import Postern
from table import Comparison, load, measured

USERS = 50


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev", "postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd")
    program, servers = machine.compiled("load", directory), []
    try:
        postern = Postern(binary, directory + "/postern", smtp=True)
        servers.append(postern)
        alone = Postern(binary, directory + "/alone", smtp=True, settings=["testing.enabled=true", "testing.groupCapacity=1"])
        servers.append(alone)
        for server in servers:
            for number in range(USERS):
                server.add_account(f"bench{number + 1}")
        postfix, dovecot = Postfix(directory), Dovecot(directory)
        servers += [postfix, dovecot]
        doors = (("Dovecot, LMTP into mailboxes", dovecot, "lmtp", dovecot.lmtp), ("Postfix, SMTP into its queue", postfix, "smtp", postfix.smtp),
                 ("Postern, SMTP into mailboxes", postern, "smtp", postern.smtp_port),
                 ("Postern, a sync for each message", alone, "smtp", alone.smtp_port))
        turn = iter(range(1 << 30))

        def take(server, protocol, port, clients, octets, messages):
            return measured(server.seconds, lambda: load(
                program, protocol, "127.0.0.1", port, "-c", clients, "-n", messages, "-u", USERS, "-l", octets,
                "-a", next(turn) * 1_000_000), settles=True)

        for clients, octets, messages in ((1, 10_240, 400), (10, 10_240, 1500), (50, 10_240, 1500),
                                          (16, 1_024, 1500), (16, 102_400, 500), (16, 1_048_576, 60)):
            comparison = Comparison(f"Taking in mail of {octets:,} octets, {clients} sessions", options.rounds)
            for name, server, protocol, port in doors:
                comparison.add(name, lambda a=(server, protocol, port, clients, octets, messages): take(*a),
                               None if server is dovecot else doors[0][0])
            comparison.print()
    finally:
        for server in reversed(servers):
            server.stop()
