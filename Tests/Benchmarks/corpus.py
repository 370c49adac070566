# SPDX-License-Identifier: Apache-2.0
"""Mail of our own making: the same messages each time, and of each what a search has to find."""
import datetime

WORDS = ("harbour ferry island timetable winter pier lighthouse meeting invoice draft garden letter bridge stone river market "
         "window kettle lantern orchard saddle thunder violin willow").split()
RARE = ["quincunx", "zephyr", "obelisk"]
BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
# "harbour lights" stands as a phrase in one message of so many.
PHRASE_EVERY, RARE_EVERY = 97, 5003


class Message:
    def __init__(self, number, octets=None):
        self.number = number
        self.sender = f"sender{number % 97}"
        self.subject = " ".join(WORDS[(number * k) % len(WORDS)] for k in (1, 3, 5)) + f" {number // 4}"
        self.date = BEGIN + datetime.timedelta(minutes=3 * number)
        lines = [" ".join(WORDS[(number // 3 + line * k) % len(WORDS)] for k in range(1, 9))
                 for line in range(octets // 60 if octets else 15 + number * 7919 % 400)]
        if number % PHRASE_EVERY == 1:
            lines.append("under the harbour lights again")
        if number % RARE_EVERY == 7:
            lines.append("a " + RARE[number // RARE_EVERY % len(RARE)] + " in the garden")
        self.lines = lines

    @property
    def message_id(self):
        return f"<{self.number}@example.net>"

    @property
    def text(self):
        return "\n".join(self.lines)

    def mbox(self):
        return f"From {self.sender}@example.net {self.date:%a %b %d %H:%M:%S %Y}\n{self.whole}\n"

    @property
    def whole(self):
        """The message, lines ended by LF."""
        name = f"Sender {self.number % 97} <{self.sender}@example.net>"
        return (f"From: {name}\nTo: Bench <bench@example.org>\n"
                f"Subject: {self.subject}\nDate: {self.date:%a, %d %b %Y %H:%M:%S +0000}\nMessage-ID: {self.message_id}\n"
                "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + self.text + "\n")


def write_mbox(path, numbers, octets=None):
    with open(path, "w") as file:
        for number in numbers:
            file.write(Message(number, octets).mbox())
    return path
