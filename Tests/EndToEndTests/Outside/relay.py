# SPDX-License-Identifier: Apache-2.0
"""A relay between a client and a server, which loses connections when it is told to."""
import contextlib, socket, struct, threading


class Relay:
    """Takes connections at `port` of 127.0.0.1 and carries their octets to and from another port there."""

    def __init__(self, target):
        self.target, self.lock, self.pairs, self.cuts, self.rest = target, threading.Lock(), [], 0, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.append(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self.carry, args=(pair, source, sink), daemon=True).start()

    def carry(self, pair, source, sink):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                share, isLast = self.share(len(octets))
                sink.sendall(octets[:share])
                if isLast:
                    self.lose(pair)
                    return
        self.close(pair)

    def share(self, count):
        """How many of so many octets go on, and whether the connection is lost with them."""
        with self.lock:
            if self.rest is None:
                return count, False
            share = min(count, self.rest)
            self.rest = self.rest - share or None
            return share, self.rest is None

    def close(self, pair):
        with self.lock:
            isOpen = pair in self.pairs
            if isOpen:
                self.pairs.remove(pair)
        if isOpen:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        return isOpen

    def lose(self, pair):
        """Resets a connection (RST), on both sides."""
        for one in pair:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cuts += self.close(pair)

    def cut(self):
        """Loses all connections."""
        for pair in list(self.pairs):
            self.lose(pair)

    def cut_after(self, octets):
        """Loses the connection that carries the last of so many octets, wherever in a command or an answer that is."""
        with self.lock:
            self.rest = octets
