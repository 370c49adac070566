# SPDX-License-Identifier: Apache-2.0
"""Other servers, from Debian, on loopback, each with a configuration and data of its own below one directory."""
import base64, glob, os, shutil, signal, smtplib, subprocess, sys, time
import machine
from machine import SERVER, free_port, wait_for_port

DOMAIN, PASSWORD = "example.org", "bench"


class Peer:
    pid = None

    def seconds(self):
        """CPU time of the process that does the work."""
        return machine.threads_seconds(self.pid)


class Nginx(Peer):
    CONFIGURATION = """
        daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log crit;
        events {{ worker_connections 16384; }}
        http {{
            access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}; proxy_temp_path {dir};
            fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
            server {{
                listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
                ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
                location / {{ default_type application/json; return 200 '{{"status":"ok"}}'; }}
            }}
        }}"""

    def __init__(self, directory, certificate, key):
        self.plain, self.tls = free_port(), free_port()
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(self.CONFIGURATION.format(dir=directory, plain=self.plain, tls=self.tls, certificate=certificate, key=key))
        self.process = subprocess.Popen([*SERVER, "nginx", "-p", directory, "-c", path, "-e", "stderr"])
        wait_for_port(self.plain)
        master = str(self.process.pid)
        self.pid = int(open(f"/proc/{master}/task/{master}/children").read().split()[0])

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Hello(Peer):
    """Our own C loop, hello.c: what the kernel alone costs."""

    def __init__(self, directory):
        self.port = free_port()
        self.process = subprocess.Popen([*SERVER, machine.compiled("hello", directory), str(self.port)])
        self.pid = self.process.pid
        wait_for_port(self.port)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Family(Peer):
    """A server of many processes that starts from `command` and stays in the foreground; each of its users is `benchN`."""

    def start(self, command, port, environment=None, log=None, processor=SERVER):
        with open(log or os.devnull, "ab") as output:
            self.process = subprocess.Popen([*processor, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env=environment)
        self.pid = self.process.pid
        wait_for_port(port)

    def seconds(self):
        return machine.family_seconds(self.pid)

    def memory(self):
        return machine.family_memory(self.pid)

    def stop(self):
        family = machine.family(self.pid)
        self.process.terminate()
        self.process.wait(30)
        # Some outlive their master for as long as they hold a connection.
        deadline = time.monotonic() + 5
        for member in family:
            while os.path.exists(f"/proc/{member}") and time.monotonic() < deadline:
                time.sleep(0.05)
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                pass


def deliver(port, messages, user):
    """Puts messages into a mailbox by LMTP."""
    with smtplib.LMTP("127.0.0.1", port) as client:
        client.ehlo_or_helo_if_needed()
        for text in messages:
            client.sendmail("sender@example.net", [f"{user}@{DOMAIN}"], text)


class Dovecot(Family):
    """IMAP and LMTP; mdbox, the format that took mail fastest of its three; a message is synced before it is acknowledged.

    Whoever is asked for has a mailbox. `sessions` at a time; with a certificate and its key IMAP over TLS too.
    """

    CONFIGURATION = """
        base_dir = {dir}/state
        state_dir = {dir}/state
        log_path = {dir}/log
        listen = 127.0.0.1
        protocols = imap lmtp
        {tls}
        disable_plaintext_auth = no
        auth_username_format = %Ln
        first_valid_uid = 5000
        mail_location = mdbox:~/mail
        mail_fsync = optimized
        mail_max_userip_connections = 1000
        default_process_limit = {sessions}
        default_client_limit = {many}
        default_vsz_limit = 2G
        passdb {{
          driver = static
          args = password={password}
        }}
        userdb {{
          driver = static
          args = uid=5000 gid=5000 home={dir}/mail/%Ln allow_all_users=yes
        }}
        namespace inbox {{
          inbox = yes
          mailbox Drafts {{
            special_use = \\Drafts
            auto = subscribe
          }}
          mailbox Sent {{
            special_use = \\Sent
            auto = subscribe
          }}
          mailbox Trash {{
            special_use = \\Trash
            auto = subscribe
          }}
        }}
        service auth {{
          client_limit = {many}
          inet_listener {{
            port = {auth}
          }}
        }}
        service anvil {{
          client_limit = {many}
        }}
        service stats {{
          client_limit = {many}
        }}
        service imap-login {{
          service_count = 0
          process_min_avail = 1
          process_limit = 1
          client_limit = {many}
          inet_listener imap {{
            port = {imap}
          }}
          inet_listener imaps {{
            port = {imaps}
            ssl = yes
          }}
        }}
        service imap {{
          service_count = 256
          process_min_avail = 1
          process_limit = {sessions}
        }}
        service lmtp {{
          process_min_avail = 1
          inet_listener lmtp {{
            port = {lmtp}
          }}
        }}"""

    def __init__(self, directory, sessions=1000, certificate=None, key=None, processor=SERVER):
        self.imap, self.lmtp, self.auth = free_port(), free_port(), free_port()
        self.imaps = free_port() if certificate else 0
        tls = f"ssl = yes\n        ssl_cert = <{certificate}\n        ssl_key = <{key}" if certificate else "ssl = no"
        folder = os.path.join(directory, "dovecot")
        os.makedirs(folder + "/mail")
        os.makedirs(folder + "/state")
        os.chown(folder + "/mail", 5000, 5000)
        path = folder + "/dovecot.conf"
        with open(path, "w") as file:
            file.write(self.CONFIGURATION.format(
                dir=folder, imap=self.imap, imaps=self.imaps, lmtp=self.lmtp, auth=self.auth, password=PASSWORD, tls=tls,
                sessions=sessions, many=sessions * 5))
        self.start(["dovecot", "-F", "-c", path], self.lmtp, processor=processor)


class Postfix(Family):
    """Takes mail into its queue, and gives it on to an LMTP server; with none it only holds it.

    With the port of Dovecot's auth service it offers AUTH, and asks nobody for it.
    """

    CONFIGURATION = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:x
virtual_transport = {transport}
default_transport = discard:
relay_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_data_restrictions = {restrictions}
smtpd_sasl_auth_enable = {authenticates}
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_sasl_security_options =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtp_dns_support_level = disabled
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 67108864
default_process_limit = 200
in_flow_delay = 0
"""
    SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    def __init__(self, directory, lmtp=None, auth=None):
        self.smtp = free_port()
        folder = os.path.join(directory, "postfix-gives-on" if lmtp else "postfix")
        for name in ("etc", "spool", "data"):
            os.makedirs(f"{folder}/{name}", mode=0o755)
        shutil.chown(folder + "/data", "postfix")
        transport = f"lmtp:inet:[127.0.0.1]:{lmtp}" if lmtp else "discard:"
        with open(folder + "/etc/main.cf", "w") as file:
            file.write(self.CONFIGURATION.format(dir=folder, transport=transport,
                                                 restrictions="" if lmtp else "check_client_access static:HOLD",
                                                 authenticates="yes" if auth else "no", auth=auth or 1))
        with open(folder + "/etc/master.cf", "w") as file:
            file.write(self.SERVICES.format(port=self.smtp))
        # Makes the folders of the queue.
        subprocess.run(["postfix", "-c", folder + "/etc", "check"], check=True, capture_output=True)
        self.start(["/usr/lib/postfix/sbin/master", "-c", folder + "/etc", "-s"], self.smtp)


class Cyrus(Family):
    """JMAP over HTTP and LMTP, with conversations and the search index of Xapian; what it submits goes to an SMTP server.

    With `imap`: IMAP too, whose IDLE wakes by idled.
    """

    CONFIGURATION = """
configdirectory: {dir}/conf
defaultpartition: default
partition-default: {dir}/mail
proc_path: {dir}/proc
mboxname_lockpath: {dir}/lock
lmtpsocket: {dir}/socket/lmtp
idlesocket: {dir}/socket/idle
notifysocket: {dir}/socket/notify
servername: mail.example.org
defaultdomain: example.org
admins: cyrus
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Drafts|Sent
xlist-drafts: Drafts
xlist-sent: Sent
lmtp_downcase_rcpt: yes
httpmodules: jmap
conversations: yes
conversations_db: twoskip
search_engine: xapian
search_batchsize: 8192
defaultsearchtier: t1
t1searchpartition-default: {dir}/search
sync_log: yes
sync_log_channels: squatter
virtdomains: off
maxlogins_per_user: 0
maxlogins_per_host: 0
specialusealways: yes
smtp_backend: host
smtp_host: 127.0.0.1:{smtp}
"""
    SERVICES = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
}}
SERVICES {{
  http cmd="{bin}/httpd -C {dir}/imapd.conf -U 100000" listen="127.0.0.1:{http}" prefork=1 maxchild=200 proto="tcp4"
  lmtp cmd="{bin}/lmtpd -C {dir}/imapd.conf -a -U 100000" listen="127.0.0.1:{lmtp}" prefork=1 maxchild=100 proto="tcp4"
  {imap_service}
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -c" period=600
}}
DAEMON {{
  squatter cmd="{beside}/squatter -C {dir}/imapd.conf -R"
  {imap_daemon}
}}
"""

    def __init__(self, directory, smtp, users=2, imap=False, processor=SERVER):
        self.http, self.lmtp, self.imap = free_port(), free_port(), free_port()
        self.authorization = "Authorization: Basic " + base64.b64encode(f"bench1:{PASSWORD}".encode()).decode()
        folder, programs = os.path.join(directory, "cyrus"), "/usr/lib/cyrus/bin"
        beside = machine.beside("cyrus-imapd", "/usr/lib/cyrus/bin/squatter") + "/usr/lib/cyrus/bin"
        for name in ("conf/socket", "mail", "search", "socket", "proc", "lock"):
            os.makedirs(f"{folder}/{name}")
        values = {"dir": folder, "bin": programs, "beside": beside, "http": self.http, "lmtp": self.lmtp, "smtp": smtp,
                  "imap_service": "", "imap_daemon": ""}
        if imap:
            values["imap_service"] = (f'imap cmd="{beside}/imapd -C {folder}/imapd.conf -U 256" listen="127.0.0.1:{self.imap}" '
                                      'prefork=1 maxchild=100 proto="tcp4"')
            values["imap_daemon"] = f'idled cmd="{beside}/idled -C {folder}/imapd.conf"'
        for name, text in (("imapd.conf", self.CONFIGURATION), ("cyrus.conf", self.SERVICES)):
            with open(f"{folder}/{name}", "w") as file:
                file.write(text.format(**values))
        for user in [f"bench{number + 1}" for number in range(users)]:
            subprocess.run(["saslpasswd2", "-f", folder + "/sasldb2", "-c", "-p", "-u", "mail.example.org", user],
                           input=PASSWORD.encode(), check=True)
        for path in [folder, *glob.glob(folder + "/**", recursive=True)]:
            shutil.chown(path, "cyrus", "mail")
        self.start([programs + "/master", "-C", folder + "/imapd.conf", "-M", folder + "/cyrus.conf", "-p", folder + "/master.pid"],
                   self.http, {**os.environ, "CYRUS_VERBOSE": "0"}, processor=processor)
        wait_for_port(self.lmtp)


class Gateway(Family):
    """gateway.py over a Dovecot and a Postfix of its own; their time counts with its own."""

    PACKAGES = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0", "imapclient==3.0.1", "aiosmtplib==5.1.3")

    def __init__(self, dovecot, postfix, authenticates=False):
        self.port, self.behind = free_port(), (dovecot, postfix)
        self.authorization = "Authorization: Basic " + base64.b64encode(f"bench1:{PASSWORD}".encode()).decode()
        self.packages = machine.python_packages(*self.PACKAGES)
        environment = {**os.environ, "PYTHONPATH": self.packages, "PYTHONDONTWRITEBYTECODE": "1",
                       "GATEWAY_IMAP_PORT": str(dovecot.imap), "GATEWAY_SMTP_PORT": str(postfix.smtp),
                       "GATEWAY_SMTP_LOGIN": "yes" if authenticates else ""}
        self.start([sys.executable, "-m", "uvicorn", "--app-dir", machine.HERE, "gateway:application", "--host", "127.0.0.1",
                    "--port", str(self.port), "--no-access-log", "--log-level", "error"], self.port, environment)

    def seconds(self):
        return super().seconds() + sum(server.seconds() for server in self.behind)
