#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many idempotency keys, many twins of each, and kill -9 in between: every twin asks until it is answered; each key makes one
message, and all answers to it are the same octets.

usage: twins.py POSTERN FOLDER [--keys 100] [--twins 50] [--kills 10]
"""
import argparse, collections, os, random, threading, time
from mailbox_model import CUT_OFF
from server import Claims, Server


class Race:
    """Twins at work on a server that comes and goes."""

    def __init__(self, server, keys):
        self.server, self.keys, self.lock = server, keys, threading.Lock()
        self.answers, self.statuses = collections.defaultdict(collections.Counter), collections.Counter()
        self.first = collections.Counter()
        self.strange = []

    def ask(self, key):
        """Asks until there is an answer that counts."""
        body = {"to": "twin@durable.example", "subject": key, "text": "once " * 50}
        while True:
            try:
                status, fields, content = self.server.client(30).call(
                    "POST", "/v1/accounts/twin/send", body, headers={"Idempotency-Key": key})
            except CUT_OFF:
                time.sleep(0.05)
                continue
            with self.lock:
                self.statuses[status] += 1
                if status == 202:
                    self.answers[key][content] += 1
                    self.first[key] += fields.get("Idempotent-Replayed") != "true"
                    return
                if status != 409:
                    self.strange.append((status, content[:200]))
                    return
            time.sleep(0.02)

    def twin(self, number):
        """Each goes through all keys; they begin apart, so that twins meet now at one key, now at another."""
        start = number % 5 * len(self.keys) // 5
        for key in self.keys[start:] + self.keys[:start]:
            self.ask(key)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--keys", type=int, default=100), parser.add_argument("--twins", type=int, default=50)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    claims, data = Claims(), os.path.abspath(options.folder) + "/data"
    start = lambda: Server(options.postern, data, ["log.level=warning"])
    race = Race(start(), [f"key-{number}" for number in range(options.keys)])
    race.server.account("twin")
    threads = [threading.Thread(target=race.twin, args=(number,)) for number in range(options.twins)]
    [thread.start() for thread in threads]
    wanted, kills = options.keys * options.twins, 0
    while any(thread.is_alive() for thread in threads):
        if kills < options.kills and race.statuses[202] >= wanted * (kills + 0.5) / (options.kills + 1):
            race.server.kill()
            race.server = start()
            kills += 1
        time.sleep(random.uniform(0.005, 0.02))
    claims.check("all kills happened while twins asked", kills == options.kills, kills)
    claims.check("nothing else was answered", not race.strange, race.strange[:3])
    claims.check("every twin was answered", sum(sum(c.values()) for c in race.answers.values()) == wanted)
    claims.check("answers to one key are the same octets", all(len(c) == 1 for c in race.answers.values()),
                 [key for key, c in race.answers.items() if len(c) != 1][:3])
    claims.check("no key was answered as new twice", max(race.first.values()) <= 1, race.first.most_common(3))
    for folder in ("inbox", "sent"):
        found = collections.Counter(
            item["subject"] for item in race.server.client().items(f"/v1/accounts/twin/messages?folder={folder}&fields=subject"))
        claims.check(f"one message for each key in {folder}", found == collections.Counter(race.keys), found.most_common(3))
    claims.check("the server ends in order", race.server.stop() == 0)
    print(f"{options.keys} keys, {options.twins} twins, {kills} kills: {dict(race.statuses)}")
    claims.end()


if __name__ == "__main__":
    main()
