#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A mailbox connected by its owner's consent at a provider that checks PKCE itself, its tokens renewed, lost and given again.

usage: connecting.py POSTERN DATA INTROSPECTION IMAPS CERTIFICATE
INTROSPECTION is the port on 127.0.0.1 at which the IMAP server at IMAPS (implicit TLS, CERTIFICATE) asks whose a token is; it takes
tokens alone (XOAUTH2, OAUTHBEARER).
"""
import base64, hashlib, http.client, http.server, json, os, secrets, socket, ssl, subprocess, sys, threading, time, urllib.parse

from server import Claims, Server

postern, data, introspection, imaps, certificate = sys.argv[1:6]
claims = Claims()
CLIENT, SECRET = "postern-test", "client-secret"
RETURN = "https://app.example.com/connected"


class Provider:
    """RFC 6749 with PKCE (RFC 7636) and refresh tokens that are good once; a used one again ends the grant (RFC 9700 §4.14.2)."""

    def __init__(self):
        self.lock, self.codes, self.access, self.families = threading.Lock(), {}, {}, {}
        self.lifetime, self.away, self.refreshes, self.wrong = 3600, False, 0, []

    def complain(self, what):
        self.wrong.append(what)
        return 400, {"error": "invalid_request", "error_description": what}

    def authorize(self, query, redirect, user):
        """The URL that the browser is sent back to, after the consent of `user`."""
        for name, value in (("response_type", "code"), ("client_id", CLIENT), ("redirect_uri", redirect),
                            ("code_challenge_method", "S256"), ("scope", "mail offline")):
            if query.get(name) != [value]:
                self.complain(f"{name} is {query.get(name)}")
        code = secrets.token_urlsafe(16)
        self.codes[code] = (query["code_challenge"][0], redirect, user)
        return redirect + "?" + urllib.parse.urlencode({"code": code, "state": query["state"][0], "iss": "https://127.0.0.1"})

    def grant(self, user, family=None):
        family = family or secrets.token_urlsafe(8)
        access, refresh = "a-" + secrets.token_urlsafe(24), "r-" + secrets.token_urlsafe(24)
        self.access[access] = (user, time.time() + self.lifetime, family)
        self.families[family] = (user, refresh)
        return access, refresh

    def token(self, form, authorization):
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != expected:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "authorization_code":
            challenge, redirect, user = self.codes.pop(form.get("code"), (None, None, None))
            verifier = form.get("code_verifier", "")
            if not challenge or form.get("redirect_uri") != redirect or not 43 <= len(verifier) <= 128:
                return self.complain("code")
            if base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode() != challenge:
                return self.complain("PKCE")
            access, refresh = self.grant(user)
        else:
            self.refreshes += 1
            shown = form.get("refresh_token")
            family = next((f for f, (_, newest) in self.families.items() if newest == shown), None)
            if not family:
                return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            user = self.families[family][0]
            access, refresh = self.grant(user, family)
        part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
        id_token = ".".join((part({"alg": "none"}), part({"aud": CLIENT, "email": f"{user}@example.com"}), "x"))
        return 200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self.lifetime,
                     "id_token": id_token}

    def introspect(self, token):
        user, end, family = self.access.get(token, (None, 0, None))
        return {"active": True, "username": user} if user and end > time.time() and family in self.families else {"active": False}


provider = Provider()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = {k: v[0] for k, v in urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        with provider.lock:
            if self.path == "/introspect":
                status, answer = 200, provider.introspect(form.get("token"))
            elif provider.away:
                status, answer = 503, {}
            else:
                status, answer = provider.token(form, self.headers.get("Authorization"))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


os.makedirs(data + ".provider", exist_ok=True)
own, key = data + ".provider/cert.pem", data + ".provider/key.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", own], check=True, capture_output=True)
tokens = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(own, key)
tokens.socket = context.wrap_socket(tokens.socket, server_side=True)
open_door = http.server.ThreadingHTTPServer(("127.0.0.1", int(introspection)), Handler)
for server in (tokens, open_door):
    threading.Thread(target=server.serve_forever, daemon=True).start()

probe = socket.socket()
probe.bind(("127.0.0.1", 0))
port = probe.getsockname()[1]
probe.close()
origin, provider_origin = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tokens.server_address[1]}"
# The secret is not for the command line.
postern_server = Server(postern, data, (
    f"listeners.http=127.0.0.1:{port}", "egress.allow=127.0.0.0/8", "egress.webPorts=any", "egress.mailPorts=any",
    f"egress.caFile={own}", f"oauth.publicUrl={origin}", f"oauth.returnUrls={RETURN}", f"oauthGeneric.clientId={CLIENT}",
    f"oauthGeneric.authorizeUrl={provider_origin}/authorize", f"oauthGeneric.tokenUrl={provider_origin}/token",
    "oauthGeneric.scopes=mail,offline", "oauthGeneric.usernameClaim=email", "oauthGeneric.clientAuthentication=basic",
    "log.requests=true",
), wrapper=("env", f"POSTERN_OAUTH_GENERIC_CLIENT_SECRET={SECRET}"))
client = postern_server.client()
pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(certificate).read())).hexdigest()


def imap(user):
    return {"host": "127.0.0.1", "port": int(imaps), "username": f"{user}@example.com", "certificateSHA256": pin}


def browse(method, url, cookie=None):
    """What a browser without scripts gets: status, fields, text."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def consent(url, user):
    """The owner goes to the provider and says yes; where he is sent then."""
    parts = urllib.parse.urlsplit(url)
    claims.check("the browser is sent to the provider", f"{parts.scheme}://{parts.netloc}{parts.path}" == provider_origin + "/authorize", url)
    return provider.authorize(urllib.parse.parse_qs(parts.query), f"{origin}/oauth2/callback/generic", user)


def until(claim, body, seconds=30):
    end, found = time.time() + seconds, None
    while time.time() < end and not found:
        found = body()
        time.sleep(0.05)
    return claims.check(claim, bool(found), found)


def state(account):
    return client.json("GET", f"/v1/accounts/{account}")["connection"]


def reconnect(account):
    """Every connection of the account is made anew."""
    client.json("PATCH", f"/v1/accounts/{account}", {"displayName": secrets.token_hex(4)})


def is_live(account):
    status, _, _ = client.call("GET", f"/v1/accounts/{account}/folders/inbox", headers={"Cache-Control": "no-cache"})
    return status == 200 and state(account)["state"] == "connected"


# A new account, through our page.
begun = client.json("POST", "/v1/oauth/authorizations", {"provider": "generic", "address": "u1@example.com", "imap": imap("u1"),
                                                       "returnUrl": RETURN, "state": "s 1"})
ticket = begun["connectUrl"].rsplit("/", 1)[1]
status, fields, page = browse("GET", begun["connectUrl"])
claims.check("the page is there, without scripts", status == 200 and "<script" not in page and "u1@example.com" in page, page)
claims.check("and its policy lets nothing in", fields["Content-Security-Policy"].startswith("default-src 'none'"), fields)
cookie = fields["Set-Cookie"].split(";")[0]
claims.check("another site's form shows the page only", browse("POST", begun["connectUrl"])[0] == 200)
status, fields, _ = browse("POST", begun["connectUrl"], cookie)
claims.check("it leads on", status == 303, status)
back = consent(fields["Location"], "u1")
status, fields, _ = browse("GET", back, cookie)
target = urllib.parse.urlsplit(fields["Location"] or "")
query = urllib.parse.parse_qs(target.query)
claims.check("the browser ends where the caller said", fields["Location"].split("?")[0] == RETURN and query.get("state") == ["s 1"],
             (status, fields["Location"]))
account = query.get("account", [""])[0]
claims.check("with an account", account.startswith("acc_"), query)
claims.check("a code is good once", browse("GET", back, cookie)[0] == 404)
until("the mailbox is there", lambda: is_live(account))
claims.check("the provider has nothing to complain of", not provider.wrong, provider.wrong)

# Somebody else's browser, and somebody else's mailbox.
begun = client.json("POST", "/v1/oauth/authorizations", {"provider": "generic", "account": account, "returnUrl": RETURN})
_, fields, _ = browse("POST", begun["connectUrl"], cookie)
claims.check("a link that was sent on ends in nothing", browse("GET", consent(fields["Location"], "u1"))[0] == 404)
begun = client.json("POST", "/v1/oauth/authorizations", {"provider": "generic", "account": account, "returnUrl": RETURN})
_, fields, _ = browse("GET", consent(begun["authorizeUrl"], "u2"))
claims.check("another mailbox does not take the account's place", "error=other_mailbox" in fields["Location"], fields["Location"])
status, _, _ = client.call("POST", "/v1/oauth/authorizations", {"provider": "generic", "account": account,
                                                           "returnUrl": RETURN + "/../evil"})
claims.check("nobody is sent elsewhere", status == 422, status)

# Renewed in time, each refresh token once.
provider.lifetime = 5
with provider.lock:
    provider.access.clear()
before = provider.refreshes
reconnect(account)
until("a token that the server refuses is renewed", lambda: provider.refreshes > before and is_live(account))
for turn in range(4):
    time.sleep(4.2)
    before = provider.refreshes
    reconnect(account)
    workers = [threading.Thread(target=lambda: postern_server.client().call(
        "GET", f"/v1/accounts/{account}/folders/inbox", headers={"Cache-Control": "no-cache"})) for _ in range(6)]
    [w.start() for w in workers], [w.join() for w in workers]
    until("it goes on with the next one", lambda: is_live(account))
    claims.check("asked for once", provider.refreshes == before + 1, provider.refreshes - before)

# The provider is away.
provider.away = True
time.sleep(5)
reconnect(account)
until("without the provider there is an end", lambda: "provider" in (state(account)["lastError"] or "").lower())
provider.away, provider.lifetime = False, 3600
until("and a beginning with it", lambda: is_live(account), 60)
claims.check("nobody had to give his consent anew", not provider.wrong, provider.wrong)

# The owner takes his consent back.
with provider.lock:
    provider.access.clear(), provider.families.clear()
reconnect(account)
until("a consent that was taken back is told", lambda: state(account)["state"] == "authentication_failed")
claims.check("in the provider's words", "invalid_grant" in state(account)["lastError"], state(account))
events = client.json("GET", f"/v1/accounts/{account}/events?after=0&limit=500")["items"]
events = [event for event in events if event["type"] == "account.authentication_failed"]
claims.check("by one event", len(events) == 1 and "invalid_grant" in json.dumps(events), events)
asked = provider.refreshes
reconnect(account)
time.sleep(2)
claims.check("and the provider is not asked again", provider.refreshes == asked, provider.refreshes - asked)
begun = client.json("POST", "/v1/oauth/authorizations", {"provider": "generic", "account": account, "returnUrl": RETURN})
_, fields, _ = browse("GET", consent(begun["authorizeUrl"], "u1"))
claims.check("he gives it again", f"account={account}" in fields["Location"], fields["Location"])
until("and the mailbox is there again", lambda: is_live(account))

# A refresh token that somebody has already.
with provider.lock:
    _, refresh = provider.grant("u3")
made = client.json("POST", "/v1/accounts", {"kind": "imap", "address": "u3@example.com", "imap": {
    **imap("u3"), "oauth2": {"provider": "generic", "refreshToken": refresh}}})
until("a refresh token makes an account", lambda: is_live(made["id"]))

claims.check("it stops in order", postern_server.stop() == 0)
everything = open(postern_server.log, "rb").read()
for folder, _, names in os.walk(data):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            everything += open(path, "rb").read()
shown = [token for token in [*provider.access, *(r for _, r in provider.families.values()), refresh] if token.encode() in everything]
claims.check("no token is readable in the store or the log", not shown, shown)
claims.check("requests are logged, without their tickets and codes", b"/connect/{ticket}" in everything and not any(
    secret.encode() in everything for secret in [ticket, back.split("code=")[1].split("&")[0]]), back)
claims.end()
