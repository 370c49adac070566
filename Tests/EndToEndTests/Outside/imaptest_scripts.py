#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the scripted tests of imaptest (a folder of scripts with their mboxes) against an IMAP server.

usage: imaptest_scripts.py FOLDER PORT CA USER PASSWORD [NAME …]

A script whose capabilities are not announced is skipped, and said so. Each group of a script is a command and what is expected:
`*` lines must be among the untagged responses, `!` lines must not, and the tagged response begins as it is told. A word with `$`
is a variable: it takes what stands in its place first, and must be that from then on; `$3` in front of EXPUNGE or FETCH is the
message that was number 3 when the command was given.
"""
import os, re, socket, ssl, sys

folder, port, authority, user, password = sys.argv[1:6]
only = sys.argv[6:]


class Atom(bytes):
    pass


class Literal(bytes):
    pass


def tokens(line):
    """A response, without its line end, as nested lists of octets; `line` has literals in it: {n} CRLF octets."""
    place = 0
    stack = [[]]
    while place < len(line):
        byte = line[place:place + 1]
        if byte == b" ":
            place += 1
        elif byte in b"([":
            inner = []
            stack[-1].append(inner)
            stack.append(inner)
            place += 1
        elif byte in b")]":
            if len(stack) > 1:
                stack.pop()
            place += 1
        elif byte == b'"':
            end, text = place + 1, b""
            while end < len(line) and line[end:end + 1] != b'"':
                if line[end:end + 1] == b"\\":
                    end += 1
                text += line[end:end + 1]
                end += 1
            stack[-1].append(text)
            place = end + 1
        else:
            literal = re.match(rb"~?\{(\d+)\+?\}\r\n", line[place:])
            if literal:
                start = place + literal.end()
                place = start + int(literal[1])
                stack[-1].append(Literal(line[start:place]))
                continue
            # A section's brackets belong to its name.
            word = re.match(rb"(?:[^ ()\[\]\"]|(?<=[a-zA-Z.])\[[^\]]*\])+(?:<\d+>)?", line[place:])
            if not word:
                place += 1
                continue
            stack[-1].append(Atom(word[0]))
            place += word.end()
    return stack[0]


class Connection:
    def __init__(self):
        context = ssl.create_default_context(cafile=authority)
        self.socket = context.wrap_socket(socket.create_connection(("localhost", int(port)), 20), server_hostname="localhost")
        self.input = b""
        self.serial = 0
        self.greeting = self.response()

    def line(self):
        while b"\r\n" not in self.input:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the server hung up")
            self.input += more
        line, self.input = self.input.split(b"\r\n", 1)
        return line

    def octets(self, count):
        while len(self.input) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the server hung up")
            self.input += more
        octets, self.input = self.input[:count], self.input[count:]
        return octets

    def response(self):
        whole = self.line()
        while True:
            literal = re.search(rb"\{(\d+)\}$", whole)
            if not literal:
                return whole
            whole += b"\r\n" + self.octets(int(literal[1]))
            whole += self.line()

    def command(self, parts):
        """Sends text and literals in turn; the untagged responses, and the tagged one."""
        self.serial += 1
        tag = b"t%d" % self.serial
        untagged = []
        out = tag + b" "
        for part in parts:
            if isinstance(part, Literal):
                out += b"~{%d+}\r\n" % len(part) + part if getattr(part, "binary", False) else b"{%d+}\r\n" % len(part) + part
            else:
                out += part
        self.socket.sendall(out + b"\r\n")
        while True:
            response = self.response()
            if response.startswith(tag + b" "):
                return tag, untagged, response[len(tag) + 1:]
            if response.startswith(b"* "):
                untagged.append(response[2:])
            elif not response.startswith(b"+"):
                raise ValueError(b"an odd response: " + response)


def messages(path):
    found = []
    for part in re.split(rb"(?m)^From [^\n]*\n", open(path, "rb").read())[1:]:
        # The blank line in front of the next `From ` is the mbox's.
        part = part[:-1] if part.endswith(b"\n\n") else part
        found.append(Literal(part.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))
    return found


class Mismatch(Exception):
    pass


class Script:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(folder, name)
        text = open(self.path, "rb").read()
        head, _, body = text.partition(b"\n\n")
        self.head = {}
        for line in head.split(b"\n"):
            if line and not line.startswith(b"#"):
                key, _, value = line.partition(b":")
                self.head[key.strip()] = value.strip()
        self.count = int(self.head.get(b"connections", b"1"))
        self.lines = self.joined(body)
        self.variables = {}
        box = self.path + ".mbox"
        self.mbox = messages(box if os.path.exists(box) else os.path.join(folder, "default.mbox"))
        self.next = 0

    @staticmethod
    def joined(body):
        """Lines; one with literals is a list of text and literals."""
        lines, whole = [], []
        source = iter(body.split(b"\n"))
        for line in source:
            parts = [line]
            while parts[-1].endswith(b"{{{"):
                binary = parts[-1].endswith(b"~{{{")
                parts[-1] = parts[-1][:-4 if binary else -3]
                literal = []
                for inner in source:
                    if inner.startswith(b"}}}"):
                        break
                    literal.append(inner)
                # The line end in front of the closing braces is theirs.
                octets = b"\n".join(literal)
                octets = Literal(octets if binary else re.sub(rb"\r?\n", b"\r\n", octets))
                octets.binary = binary
                parts += [octets, inner[3:]]
            lines.append(parts)
        return lines

    # Variables

    def expand(self, parts):
        def value(match):
            if match[0] == b"$$":
                return b"$"
            name = match[1] or match[2]
            if name not in self.variables:
                raise Mismatch("no value for $%s" % name.decode())
            return self.variables[name]
        return [p if isinstance(p, Literal) else re.sub(rb"\$\$|\$\{(\w+)\}|\$(\w+)", value, p) for p in parts]

    def matches_word(self, want, have, numbers):
        if isinstance(have, list):
            return False
        if isinstance(want, Literal):
            return bytes(want) == bytes(have)
        # `$name` alone takes a value; in other words values are put.
        alone = re.fullmatch(rb"\$(?:\{(\w+)\}|(\w+))", want)
        if alone:
            name = alone[1] or alone[2]
            if name.isdigit():
                return int(name) in numbers and have == b"%d" % (numbers.index(int(name)) + 1)
            if name not in self.variables:
                self.pending[name] = bytes(have)
                return True
        return self.expand([want])[0].lower() == have.lower()

    def matches(self, want, have, numbers, kind=None):
        if not isinstance(want, list):
            return self.matches_word(want, have, numbers)
        if not isinstance(have, list):
            return False
        options = [w for w in want if isinstance(w, Atom) and w.startswith(b"$!")]
        want = [w for w in want if w not in options]
        if options or kind in ("set", "pairs"):
            size = 2 if kind == "pairs" else 1
            for place in range(0, len(want), size):
                item = want[place:place + size]
                groups = [have[i:i + size] for i in range(0, len(have), size)]
                if not any(self.matches_run(item, group, numbers, kind) for group in groups):
                    return False
            return True
        return len(want) == len(have) and self.matches_run(want, have, numbers)

    def matches_run(self, want, have, numbers, kind=None):
        if len(have) < len(want):
            return False
        for place, (w, h) in enumerate(zip(want, have)):
            inner = "set" if kind == "pairs" and place == 1 and want[0].lower() == b"flags" else None
            if not self.matches(w, h, numbers, inner):
                return False
        return True

    def matches_response(self, want, have, numbers):
        """Whether a response is as it is told; sets variables only if it is."""
        self.pending = {}
        want, have = list(want), list(have)
        words = [w.lower() for w in want[:2] if not isinstance(w, list)]
        if len(have) < len(want):
            return False
        whole = not words or words[0] not in (b"ok", b"no", b"bad", b"bye", b"preauth")
        if whole and len(want) != len(have) and words[0] not in (b"list", b"lsub"):
            return False
        for place, (w, h) in enumerate(zip(want, have)):
            kind = None
            if words[:1] in ([b"list"], [b"lsub"], [b"flags"]) and place == 1:
                kind = "set"
            if b"fetch" in words[1:2] and place == 2 or words[:1] == [b"status"] and place == 2:
                kind = "pairs"
            if not self.matches(w, h, numbers, kind):
                return False
        self.variables.update(self.pending)
        return True

    # Playing

    def prepare(self):
        state = self.head.get(b"state", b"")
        self.connections = [Connection() for _ in range(self.count)]
        if state == b"nonauth":
            return True
        for connection in self.connections:
            _, _, status = connection.command([b'LOGIN "%s" "%s"' % (user.encode(), password.encode())])
            assert status.startswith(b"OK"), status
        first = self.connections[0]
        _, untagged, _ = first.command([b"CAPABILITY"])
        announced = set(untagged[0].upper().split())
        wanted = set(self.head.get(b"capabilities", b"").upper().split())
        if b"IMAP4REV2" in announced and not any(b"append" in parts[0].lower() for parts in self.lines):
            # Which has the half of BINARY that fetches.
            announced.add(b"BINARY")
        if wanted - announced:
            self.missing = b" ".join(sorted(wanted - announced)).decode()
            return False
        self.variables[b"mailbox"] = b"imaptest"
        _, untagged, _ = first.command([b'LIST "" "imaptest*"'])
        for line in sorted(untagged, reverse=True):
            first.command([b'DELETE "%s"' % tokens(line)[-1]])
        if state == b"auth":
            return True
        _, _, status = first.command([b"CREATE imaptest"])
        assert status.startswith(b"OK"), status
        if state == b"created":
            return True
        count = self.head.get(b"messages", b"all")
        for place in range(len(self.mbox) if count == b"all" else int(count)):
            _, _, status = first.command([b"APPEND imaptest ", self.mbox[place % len(self.mbox)]])
            assert status.startswith(b"OK"), status
        if state == b"appended":
            return True
        for connection in self.connections:
            _, untagged, status = connection.command([b"SELECT imaptest"])
            assert status.startswith(b"OK"), status
        return True

    def append(self, text):
        message = self.mbox[self.next % len(self.mbox)]
        self.next += 1
        return [(text if b" " in text.strip() else text.strip() + b" imaptest").strip() + b" ", message]

    def groups(self):
        groups = []
        for parts in self.lines:
            line = parts[0].strip() if len(parts) == 1 else parts[0]
            if len(parts) == 1 and (not line or line.startswith(b"#")):
                continue
            if line[:2] in (b"* ", b"! "):
                groups[-1]["expect"].append((line[:1], [line[2:]] + parts[1:]))
                continue
            connection = 0
            if self.count > 1 and re.match(rb"\d+ ", line):
                number, line = line.split(b" ", 1)
                connection = int(number) - 1
            status = re.match(rb'(ok|no|bad|"")( |$)', line)
            if status and groups and groups[-1]["status"] is None:
                groups[-1]["status"] = [line] + parts[1:]
                continue
            group = {"connection": connection, "status": None, "expect": []}
            if status:
                group["status"] = [status[1]]
                line = line[status.end():]
            group["command"] = [line] + parts[1:]
            groups.append(group)
        return groups

    @staticmethod
    def flat(parts):
        return b"".join(b"{%d}\r\n" % len(p) + p if isinstance(p, Literal) else p for p in parts)

    def play(self):
        sizes = [None] * self.count
        for group in self.groups():
            connection = self.connections[group["connection"]]
            command = self.expand(group["command"])
            if command[0].split()[0].lower() == b"append" and len(command) == 1:
                command = self.append(command[0])
            tag, untagged, status = connection.command(command)
            self.variables[b"tag"] = tag
            self.check(group, command, untagged, status)

    def check(self, group, command, untagged, status):
        said = self.flat(group["command"]).decode(errors="replace")
        if group["status"] and group["status"][0][:2] != b'""':
            if not self.matches_response(tokens(self.flat(group["status"])), tokens(status), []):
                raise Mismatch("%s: %s" % (said, status.decode(errors="replace")))
        # What each number was when the command was given, at each response.
        numbers, at = list(range(1, 1000)), []
        for line in untagged:
            at.append(list(numbers))
            gone = re.match(rb"(?i)(\d+) EXPUNGE$", line)
            if gone:
                del numbers[int(gone[1]) - 1]
        left = [(tokens(line), seen) for line, seen in zip(untagged, at)]
        for kind, parts in group["expect"]:
            want = tokens(self.flat(parts))
            found = next((each for each in left if self.matches_response(want, *each)), None)
            if kind == b"*" and found is None:
                told = b" | ".join(untagged).decode(errors="replace")
                raise Mismatch("%s: no * %s in: %s" % (said, self.flat(parts).decode(errors="replace"), told))
            if kind == b"!" and found is not None:
                raise Mismatch("%s: ! %s" % (said, self.flat(parts).decode(errors="replace")))
            if kind == b"*" and found in left and len(found[0]) > 1 and b"expunge" == bytes(found[0][1] if not isinstance(found[0][1], list) else b"").lower():
                left.remove(found)


passed, failed, skipped = [], [], []
for name in sorted(os.listdir(folder)):
    if "." in name or name.startswith("COPYING") or os.path.isdir(os.path.join(folder, name)) or only and name not in only:
        continue
    script = Script(name)
    try:
        if not script.prepare():
            skipped.append("%s (%s)" % (name, script.missing))
            continue
        script.play()
        passed.append(name)
    except (Mismatch, AssertionError, EOFError, ValueError, OSError) as error:
        failed.append(name)
        print("FAIL %s: %s" % (name, error))
    finally:
        for connection in getattr(script, "connections", []):
            connection.socket.close()
print("passed %d: %s" % (len(passed), " ".join(passed)))
print("skipped %d: %s" % (len(skipped), ", ".join(skipped)))
print("failed %d: %s" % (len(failed), " ".join(failed)))
sys.exit(1 if failed or not passed else 0)
