# SPDX-License-Identifier: Apache-2.0
"""What event streams add to the mail they tell of: the same mail with none, one, and many that follow its mailbox."""
import selectors, socket, threading, time
import machine
from postern import Postern
from table import Comparison, load, measured, request


class Followers:
    """Streams of server-sent events, all read; how many events came."""

    def __init__(self, postern, count):
        self.events, self.tails, self.isOver = 0, {}, False
        asked = request("GET", "/v1/accounts/bench1/events", postern.ready["http"], [postern.authorization, "Accept: text/event-stream"])
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", postern.port))
            connection.sendall(asked)
            self.tails[connection] = b""
            self.selector.register(connection, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.isOver:
            for key, _ in self.selector.select(0.1):
                piece = self.tails[key.fileobj] + key.fileobj.recv(65536)
                self.events += piece.count(b"event: message.received")
                # What may be the beginning of another is looked at again with what follows it.
                self.tails[key.fileobj] = piece[piece.rfind(b"\n") + 1:]

    def wait_for(self, count):
        deadline = time.monotonic() + 60
        while self.events < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.events} of {count} events came")
            time.sleep(0.01)

    def close(self):
        self.isOver = True
        self.thread.join()
        for connection in self.tails:
            connection.close()


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev")
    program, messages = machine.compiled("load", directory), 500
    postern = Postern(binary, directory + "/events", smtp=True, settings=["events.streamsPerToken=1000"])
    try:
        postern.add_account("bench1")
        turn = iter(range(1 << 30))
        comparison = Comparison(f"{messages} messages of 10 KiB, 10 sessions, with streams that follow the mailbox", options.rounds)

        def take(count):
            followers = Followers(postern, count)
            time.sleep(0.3)

            def run():
                # From now on, not from the beginning of the log: streams without a place begin at its end.
                result = load(program, "smtp", "127.0.0.1", postern.smtp_port, "-c", 10, "-n", messages, "-a", next(turn) * 1_000_000)
                followers.wait_for(count * messages)
                return result

            try:
                return measured(postern.seconds, run, settles=True)
            finally:
                followers.close()

        for count in (0, 1, 10, 100):
            comparison.add(f"{count} streams", lambda count=count: take(count), None if count == 0 else "0 streams")
        comparison.print()
    finally:
        postern.stop()
