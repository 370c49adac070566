# SPDX-License-Identifier: Apache-2.0
"""Other servers, from Debian, on loopback, each with a configuration and data of its own below one directory."""
import os, subprocess
import machine
from machine import SERVER, free_port, wait_for_port


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
