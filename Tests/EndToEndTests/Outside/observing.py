#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: metrics that Prometheus reads, all that the examples name among them; a log with no secret in it.

usage: observing.py POSTERN FOLDER EXAMPLES
"""
import base64, json, os, re, smtplib, ssl, subprocess, sys
from prometheus_client.parser import text_string_to_metric_families as prometheus
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from serving import Server, check, finish, until

postern, folder, examples = sys.argv[1:4]
os.makedirs(folder, exist_ok=True)
server = Server(postern, folder + "/observing", "log.level=trace", "log.requests=true")
password, wrong_password = "correct horse battery", "wrong donkey cable"
secrets = {server.token, password, wrong_password}
secrets |= {base64.b64encode(f"\0ann@example.org\0{p}".encode()).decode() for p in (password, wrong_password)}
secrets |= {base64.b64encode(p.encode()).decode() for p in (password, wrong_password)}

# Something of everything.
check("an account is made", server.call(
    "/v1/accounts", "POST", {"kind": "local", "address": "ann@example.org", "alias": "ann", "password": password})[0] == 201)
status, _, content = server.call("/v1/tokens", "POST", {"name": "reader", "scopes": ["read"]})
reader = json.loads(content)
secrets.add(reader["token"])
check("a new token was never used", reader["lastUsedAt"] is None, reader)
server.call("/v1/accounts/ann/messages", token=reader["token"])
server.call("/v1/accounts", token="pst_" + "b" * 52)
secrets.add("pst_" + "b" * 52)
server.call("/v1/accounts/ann%0a%1b%5b31m/messages?q=private", headers={"X-Request-Id": "seen-4711"})
for key, text in (("k1", "x"), ("k1", "x"), ("k1", "y")):
    server.call("/v1/accounts/ann/send", "POST", {"to": "ann@example.org", "subject": "s", "text": text}, {"Idempotency-Key": key})
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with smtplib.SMTP_SSL(*server.address("submissions"), context=context) as smtp:
    for mechanism in ("PLAIN", "LOGIN"):
        try:
            smtp.user, smtp.password = "ann@example.org", wrong_password
            smtp.ehlo()
            smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower()))
            check("a wrong password is refused", False)
        except smtplib.SMTPAuthenticationError:
            pass
    smtp.login("ann@example.org", password)
    smtp.sendmail("ann@example.org", ["ann@example.org"], b"From: ann@example.org\r\nSubject: s\r\n\r\nhello\r\n")
with smtplib.SMTP(*server.address("smtp")) as smtp:
    smtp.ehlo("client.example.net")
    smtp.sendmail("zoe@example.net", ["ann@example.org"], b"From: zoe@example.net\r\nDate: yesterday\r\nSubject: s\r\n\r\nhello\r\n")

used = lambda: json.loads(server.call("/v1/tokens/" + reader["id"])[2])["lastUsedAt"]
check("when a token was used last is kept", until(lambda: used() is not None))

# Metrics.
text = server.call("/metrics")[2].decode()
families = {f.name: f for f in prometheus(text)}
status, fields, content = server.call("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
check("OpenMetrics is answered where it is asked for", fields["content-type"].startswith("application/openmetrics-text"))
check("and holds the same families", {f.name for f in openmetrics(content.decode())} == set(families),
      {f.name for f in openmetrics(content.decode())} ^ set(families))
seen = re.findall(r"^# TYPE (\S+)", text, re.M)
check("no family comes twice", len(seen) == len(set(seen)), [n for n in seen if seen.count(n) > 1])
if subprocess.run(["sh", "-c", "command -v promtool"], stdout=subprocess.DEVNULL).returncode == 0:
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    check("promtool finds nothing wrong", lint.returncode == 0, lint.stdout + lint.stderr)
    rules = subprocess.run(["promtool", "check", "rules", examples + "/prometheus/rules.yml"], text=True, capture_output=True)
    check("promtool reads the alert rules", rules.returncode == 0, rules.stdout + rules.stderr)
value = lambda name, **labels: sum(s.value for s in families[name.removesuffix("_total")].samples if s.name == name and labels.items() <= s.labels.items())
for name, labels, expected in [
    ("postern_smtp_server_messages_total", {"result": "accepted"}, 2),
    ("postern_auth_attempts_total", {"protocol": "smtp", "result": "accepted"}, 1),
    ("postern_auth_attempts_total", {"protocol": "smtp", "result": "refused"}, 2),
    ("postern_auth_attempts_total", {"protocol": "http", "result": "refused"}, 1),
    ("postern_idempotency_replays_total", {}, 1),
    ("postern_idempotency_conflicts_total", {"kind": "mismatch"}, 1),
    ("postern_smtp_server_commands_total", {"verb": "rcpt", "code": "250"}, 2),
    ("postern_parser_defects_total", {"kind": "date_malformed"}, 1),
]:
    check(f"{name}{labels} is {expected}", value(name, **labels) == expected, value(name, **labels))
check("commits were timed", value("postern_store_commit_duration_seconds_count") > 0 if "postern_store_commit_duration_seconds" not in families
      else sum(s.value for s in families["postern_store_commit_duration_seconds"].samples if s.name.endswith("_count")) > 0)

named = {}
for path in ("grafana/postern.json", "prometheus/rules.yml"):
    for name in re.findall(r"\b(?:postern|process)_[a-z0-9_]+", open(f"{examples}/{path}").read()):
        named[re.sub(r"_(bucket|sum|count)$", "", name).removesuffix("_total")] = path
missing = {name: path for name, path in named.items() if name not in families}
check(f"all {len(named)} metrics that the examples name exist", named and not missing, missing)
print("     families:", len(families))

# The log.
check("it ends in order", server.stop() == 0)
log = server.log()
for line in log.splitlines():
    try:
        facts = json.loads(line)
    except ValueError:
        facts = None
    if not facts or not {"level", "ts", "msg", "component"} <= facts.keys():
        check("a line is an object with level, ts, msg and component", False, line)
    elif not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", facts["ts"]):
        check("a time is RFC 3339, UTC, with milliseconds", False, line)
check("there are no controls in it", not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", log))
request = next((json.loads(line) for line in log.splitlines() if "seen-4711" in line), {})
check("a request is a line with its id, route, code and token", request.get("component") == "access" and request.get("code") == 404
      and request.get("route") == "/v1/accounts/{account}/messages" and request.get("token", "").startswith("tok_"), request)
check("what was looked for is not in it", "private" not in log)
for secret in secrets:
    check("a secret is not in the log", secret not in log, secret[:8])
finish()
