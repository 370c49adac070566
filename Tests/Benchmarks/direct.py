# SPDX-License-Identifier: Apache-2.0
"""A program that goes to its mail servers itself: imapclient and smtplib, up to 16 connections of each, kept for the next operation.

    direct.py IMAP-PORT SMTP-PORT CLIENTS SECONDS COUNT OPERATION [WORD ...]

With a COUNT that is not 0 there are so many operations, whatever time that takes. Prints what load.c prints, and its own CPU time.
"""
import email.message, json, queue, smtplib, sys, threading, time
import imapclient

imap_port, smtp_port, clients, count, operation, words = *map(int, sys.argv[1:4]), int(sys.argv[5]), sys.argv[6], sys.argv[7:]
duration, SHOWN, POOL = float(sys.argv[4]), 500, 16
SUMMARY = ["ENVELOPE", "FLAGS", "RFC822.SIZE", "INTERNALDATE"]


class Pool:
    """Connections that are made when one is wanted and none waits."""

    def __init__(self, make):
        self.make, self.waiting, self.places = make, queue.LifoQueue(), threading.Semaphore(POOL)

    def __enter__(self):
        self.places.acquire()
        try:
            return self.waiting.get_nowait()
        except queue.Empty:
            return self.make()

    def give(self, client):
        self.waiting.put(client)
        self.places.release()

    def __exit__(self, *_):
        pass


def log_in():
    client = imapclient.IMAPClient("127.0.0.1", imap_port, ssl=False)
    client.login("bench1", "bench")
    client.count = client.select_folder("INBOX")[b"EXISTS"]
    return client


def submit():
    client = smtplib.SMTP("127.0.0.1", smtp_port, local_hostname="client.example.net")
    client.login("bench1", "bench")
    return client


pool = Pool(submit if operation == "send" else log_in)
with pool as first:
    uids = [] if operation == "send" else first.search("ALL")[-SHOWN:]
    pool.give(first)


def newest(client, found):
    return client.fetch(found[-50:], SUMMARY) if found else {}


def act(client, turn):
    turn = turn * 7919
    if operation == "list":
        client.use_uid = False
        assert len(client.fetch(f"{client.count - 49}:{client.count}", ["UID", *SUMMARY])) == 50
        client.use_uid = True
    elif operation == "fetch":
        assert client.fetch([uids[turn % SHOWN]], ["BODY.PEEK[]", "FLAGS"])
    elif operation == "flag":
        # Within so many turns each gets the flag once and loses it once.
        change = client.add_flags if turn // SHOWN % 2 == 0 else client.remove_flags
        change([uids[turn % SHOWN]], [imapclient.FLAGGED])
    elif operation in ("subject", "text"):
        newest(client, client.search([operation.upper(), words[turn % len(words)]]))
    elif operation == "send":
        content = email.message.EmailMessage()
        content["From"], content["To"], content["Subject"] = "bench1@example.org", "bench2@example.org", "benchmark"
        content.set_content("Just a line.")
        client.send_message(content)


turns, lock, latencies, errors = iter(range(1 << 40)), threading.Lock(), [], []
ready = threading.Barrier(clients + 1)


def work():
    # Each has had a connection before it counts.
    with pool as client:
        ready.wait()
        pool.give(client)
    while True:
        with lock:
            turn = next(turns)
        started = time.monotonic()
        if turn >= count if count else started >= deadline:
            return
        with pool as client:
            try:
                act(client, turn)
            except Exception as failure:
                errors.append(failure)
            pool.give(client)
        latencies.append(time.monotonic() - started)


threads = [threading.Thread(target=work) for _ in range(clients)]
[thread.start() for thread in threads]
deadline = time.monotonic() + 3600
ready.wait()
began, spent = time.monotonic(), time.process_time()
deadline = began + duration
[thread.join() for thread in threads]
seconds, spent = time.monotonic() - began, time.process_time() - spent
latencies.sort()
print(json.dumps({
    "operations": len(latencies), "errors": len(errors), "seconds": seconds, "cpu": spent, "said": [repr(e) for e in errors[:3]],
    "p50": latencies[len(latencies) // 2] * 1000, "p99": latencies[len(latencies) * 99 // 100] * 1000,
}))
