#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receives Postern's webhooks and checks their signatures, with nothing but Python's own library.

    WEBHOOK_SECRET=whsec_… python3 receiver.py 9000

Prints a line for each event that is new: its type and its id.
"""
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE = 300  # seconds that sender's and receiver's clocks may differ
MAXIMUM = 4 << 20  # octets of a body
seen = set()  # a real receiver keeps these where it keeps what it makes of the events


def is_signed(headers, body: bytes) -> bool:
    """Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body; one of the signatures must be ours."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    code = hmac.new(SECRET, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(code)
    given = headers.get("webhook-signature", "").encode("latin-1").split(b" ")
    return any(hmac.compare_digest(signature, expected) for signature in given)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > MAXIMUM:
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_signed(self.headers, body):
            return self.answer(401)
        identifier = self.headers["webhook-id"]
        if identifier not in seen:  # an event may come more than once
            seen.add(identifier)
            print(json.loads(body)["type"], identifier, flush=True)
        self.answer(204)  # at once: work that takes long belongs behind the answer

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
