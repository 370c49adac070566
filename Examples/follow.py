#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Follows an account's events (server-sent events) and prints a line for each; misses none and shows none twice.

    POSTERN_TOKEN_FILE=run/admin-token Examples/follow.py http://127.0.0.1:8025 demo demo.cursor

The last argument is a file that remembers the number of the last event, so that the program may be stopped and started again.
It needs nothing but Python. A client that only asks now and then does the same with
`GET /v1/accounts/demo/events?after=NUMBER&wait=30`.
"""
import json, os, sys, time, urllib.error, urllib.request

url, account, cursor_file = sys.argv[1:4]
token = open(os.environ.get("POSTERN_TOKEN_FILE", "run/admin-token")).read().strip()


def remembered():
    """The number behind which to go on; `newest` at the first start."""
    try:
        return open(cursor_file).read().strip() or "newest"
    except FileNotFoundError:
        return "newest"


def remember(number):
    with open(cursor_file + ".new", "w") as file:
        file.write(number)
    os.replace(cursor_file + ".new", cursor_file)


def show(event):
    """What a real program does with an event. What it does and remembering the number should be one transaction."""
    print(event["seq"], event["type"], json.dumps(event["data"], ensure_ascii=False), flush=True)


def events(lines):
    """Pairs of id and event; an id without an event says only that there is nothing before it."""
    id, data = None, []
    for line in lines:
        line = line.decode().rstrip("\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            id = value
        elif name == "data":
            data.append(value)
        elif not line:
            yield id, json.loads("\n".join(data)) if data else None
            id, data = None, []


while True:
    request = urllib.request.Request(
        f"{url}/v1/accounts/{account}/events?after={remembered()}",
        headers={"Authorization": "Bearer " + token, "Accept": "text/event-stream"})
    try:
        # A comment comes every 15 seconds: when nothing comes for longer, the connection is dead.
        with urllib.request.urlopen(request, timeout=60) as stream:
            for id, event in events(stream):
                if event:
                    show(event)
                if id:
                    remember(id)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        if error.code not in (409, 410):
            if error.code < 500 and error.code != 429:
                sys.exit(f"{error.code} {problem['code']}")
        else:
            # The log does not reach back so far: read the mailbox anew here, then go on behind its end.
            print("starting anew:", problem["code"], flush=True)
            remember(str(problem["newest"]))
    except OSError as error:
        print("lost:", error, file=sys.stderr)
    time.sleep(1)
