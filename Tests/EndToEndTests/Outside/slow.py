#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slowhttptest against a server that others go on using: slow heads, slow bodies, slow reading.

usage: slow.py POSTERN FOLDER [CONNECTIONS [CLIENTS [SECONDS]]]
Prints how long the others waited; the claim is that each of them was served.
"""
import asyncio, os, subprocess, sys, time
from serving import Server, check, finish

postern, folder = sys.argv[1:3]
crowd, clients, seconds = [int(a) for a in sys.argv[3:6]] + [100, 10, 8][len(sys.argv[3:6]):]
os.makedirs(folder, exist_ok=True)
server = Server(postern, folder + "/slow")
url = "http://%s:%d" % server.address()
attacks = {
    "slow heads": ["-H", "-u", url + "/healthz", "-i", "2", "-x", "24"],
    "slow bodies": ["-B", "-u", url + "/v1/accounts", "-t", "POST", "-f", "application/json\r\nAuthorization: Bearer " + server.token, "-s", "100000", "-i", "2", "-x", "10"],
    "slow reading": ["-X", "-u", url + "/openapi.yaml", "-w", "10", "-y", "20", "-n", "2", "-z", "5", "-k", "3"],
}
request = ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % server.token).encode()
times, failed = [], []


async def client(end):
    reader, writer = await asyncio.open_connection(*server.address())
    while time.monotonic() < end:
        began = time.monotonic()
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(next(l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")).split(b":")[1])
            await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200 "):
                failed.append(head)
        except (OSError, asyncio.IncompleteReadError) as error:
            failed.append(repr(error))
            return
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    writer.close()


async def healthy():
    end = time.monotonic() + seconds
    await asyncio.gather(*[client(end) for _ in range(clients)])


for name, arguments in attacks.items():
    attack = subprocess.Popen(
        ["slowhttptest", "-c", str(crowd), "-r", str(max(50, crowd // 3)), "-l", str(seconds), "-p", "3", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(3)
    times.clear()
    failed.clear()
    open_now = [l for l in server.call("/metrics")[2].decode().split("\n") if l.startswith('postern_connections{listener="http"}')][0].split()[1]
    asyncio.run(healthy())
    attack.wait()
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1000
    print(f"     {name}: {crowd} connections ({open_now} open), {clients} clients, {len(times)} requests: "
          f"p50 {at(.5):.1f} ms, p99 {at(.99):.1f} ms, longest {times[-1] * 1000:.1f} ms; {server.resident() >> 20} MiB", flush=True)
    check(name + ": everybody else was served", times and not failed, failed[:3])
    check(name + ": the server answers afterwards", server.call("/healthz", token=None)[0] == 200)
check("it ends in order", server.stop() == 0)
finish()
