#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A 50 MB attachment goes out by curl's multipart form and comes back, resumed by Range, while the server's memory stays small.

usage: large_attachment.py READY.json PID [SCHEME]
"""
import hashlib, json, os, subprocess, sys, tempfile

ready, pid = json.load(open(sys.argv[1])), int(sys.argv[2])
token = open(ready["adminTokenFile"]).read().strip()
base = "http://" + ready["http"]
if len(sys.argv) > 3 and sys.argv[3] == "https":
    base = "https://" + ready["https"]


def memory(field):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def curl(*arguments):
    done = subprocess.run(["curl", "-sSk", "-H", "Authorization: Bearer " + token, *arguments], capture_output=True)
    if done.returncode not in (0, 18, 28):
        sys.exit(f"curl {arguments}: {done.returncode} {done.stderr.decode()}")
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    source = os.path.join(folder, "large.bin")
    with open(source, "wb") as file:
        for _ in range(50):
            file.write(os.urandom(1_000_000))
    digest = hashlib.sha256(open(source, "rb").read()).hexdigest()
    curl("-X", "POST", base + "/v1/accounts", "-H", "Content-Type: application/json", "-d",
         json.dumps({"kind": "local", "address": "large@large.example", "alias": "large", "password": "correct horse battery"}))
    curl(base + "/v1/accounts/large/messages")  # warm
    with open("/proc/%d/clear_refs" % pid, "w") as file:
        file.write("5")  # forget the peak
    before = memory("VmRSS")
    answer = json.loads(curl("-F", "to=large@large.example", "-F", "subject=large", "-F", "text=see the file",
                             "-F", f"attachment=@{source}", base + "/v1/accounts/large/send"))
    sent_peak = memory("VmHWM")
    assert "id" in answer, answer
    item = json.loads(curl(base + "/v1/accounts/large/messages?folder=inbox"))["items"][0]
    message = json.loads(curl(base + f"/v1/accounts/large/messages/{item['id']}"))
    part = message["attachments"][0]
    assert part["size"] == 50_000_000, part
    url = base + f"/v1/accounts/large/messages/{item['id']}/attachments/{part['part']}"
    target = os.path.join(folder, "copy.bin")
    # Break off after some 20 MB, then go on where it stopped.
    head = curl("-r", "0-20000000", "-o", target, "-w", "%{http_code}", url)
    assert head == b"206", head
    assert os.path.getsize(target) == 20_000_001
    resumed = curl("-C", "-", "-o", target, "-w", "%{http_code}", url)
    assert resumed == b"206", resumed
    same = hashlib.sha256(open(target, "rb").read()).hexdigest() == digest
    whole = hashlib.sha256(curl(url)).hexdigest() == digest
    peak = memory("VmHWM")
    print(json.dumps({"sent": answer["id"], "size": part["size"], "resumed copy equal": same, "whole copy equal": whole,
                      "RSS before, MB": round(before / 1e6, 1), "peak while sending": round(sent_peak / 1e6, 1),
                      "peak in all": round(peak / 1e6, 1), "growth": round((peak - before) / 1e6, 1)}))
    sys.exit(0 if same and whole and peak - before < 16e6 else 1)
