# SPDX-License-Identifier: Apache-2.0
"""(f) Searching 100,000 messages, and whether what is found is what a plain scan finds."""
import datetime, re, urllib.parse
import corpus, machine
from postern import Postern
from table import Comparison, load, measured, request, write_requests


def words(message):
    return re.findall(r"[a-z0-9]+", " ".join([message.subject, message.text, message.sender, "bench", "example"]).lower())


def queries(count):
    """Each query with the test that a plain scan applies to a message."""
    since, before = (corpus.BEGIN + datetime.timedelta(minutes=3 * count * part // 10) for part in (4, 5))
    return [
        ("a rare word", corpus.RARE[0], lambda m, found: corpus.RARE[0] in found),
        ("a common word", "harbour", lambda m, found: "harbour" in found),
        ("two words", f"{corpus.RARE[1]} garden", lambda m, found: corpus.RARE[1] in found and "garden" in found),
        ("a phrase", '"harbour lights"', lambda m, found: "harbour lights" in m.text),
        ("a prefix", "obel*", lambda m, found: any(word.startswith("obel") for word in found)),
        ("from: and a range of dates", f"from:sender42 after:{since:%Y-%m-%d} before:{before:%Y-%m-%d}",
         lambda m, found: m.sender == "sender42" and f"{since:%Y-%m-%d}" <= f"{m.date:%Y-%m-%d}" < f"{before:%Y-%m-%d}"),
    ]


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev")
    program, count = machine.compiled("load", directory), options.searched
    postern = Postern(binary, directory + "/search")
    try:
        postern.add_account("bench1")
        seconds = postern.fill("bench1", *(corpus.write_mbox(f"{directory}/search-{part}.mbox", range(part, count, 8), octets=1000)
                                           for part in range(8)))
        machine.say(f"{count:,} messages imported in {seconds:.0f} s")
        postern.settle()
        asked = queries(count)
        expected = {name: set() for name, *_ in asked}
        for number in range(count):
            message = corpus.Message(number, 1000)
            found = set(words(message))
            for name, _, holds in asked:
                if holds(message, found):
                    expected[name].add(message.message_id)
        path = "/v1/accounts/bench1/messages"
        print("\n### What searches find\n\n| query | found | a plain scan finds | the same |\n|---|---:|---:|---|")
        for name, text, _ in asked:
            found = {item["messageId"].strip("<>") for item in postern.items(f"{path}?q={urllib.parse.quote(text)}&fields=messageId")}
            wanted = {id.strip("<>") for id in expected[name]}
            print(f"| {name} | {len(found):,} | {len(wanted):,} | {'yes' if found == wanted else 'NO'} |", flush=True)
        for clients in (1, 16):
            comparison = Comparison(f"Searching {count:,} messages, the 50 newest found, {clients} clients", options.rounds)
            for name, text, _ in asked:
                requests = [request("GET", f"{path}?q={urllib.parse.quote(text)}&limit=50", postern.ready["http"], [postern.authorization])]
                file = write_requests(f"{directory}/search-{name}".replace(" ", "-"), requests)
                comparison.add(name, lambda file=file: measured(postern.seconds, lambda: load(
                    program, "http", "127.0.0.1", postern.port, "-c", clients, "-s", options.seconds, file)))
            comparison.print()
    finally:
        postern.stop()
