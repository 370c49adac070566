# SPDX-License-Identifier: Apache-2.0
"""The machine: programs to install and build, processors to pin to, what a process has used."""
import contextlib, hashlib, os, re, resource, socket, ssl, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
# The server runs on the one, its client on the other.
SERVER, CLIENT = ["taskset", "-c", "0"], ["taskset", "-c", "1"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def packages(*names):
    """Installs Debian packages that are missing, without starting their services."""
    subprocess.run([os.path.join(ROOT, "Scripts/packages"), *names], check=True, env={**os.environ, "RUNLEVEL": "1"})


def beside(package, program):
    """Where a Debian package lies unpacked that cannot be installed beside another; `program` is a file of it."""
    place = os.environ.get("POSTERN_CYRUS", "/usr/local/lib/postern-peers/cyrus")
    if not os.path.exists(place + program):
        os.makedirs(place, exist_ok=True)
        subprocess.run(f"apt-get download -qq {package} && dpkg-deb -x {package}_*.deb .", shell=True, cwd=place, check=True)
    return place


def python_packages(*names):
    """A folder with these packages of PyPI and what they need."""
    folder = os.path.join(ROOT, ".build/benchmark-python")
    stamp = os.path.join(folder, "installed")
    if not os.path.exists(stamp) or open(stamp).read() != " ".join(names):
        packages("python3-pip")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", folder, *names], check=True,
                       stdout=sys.stderr)
        with open(stamp, "w") as file:
            file.write(" ".join(names))
    return folder


def compiled(name, directory):
    """The program of a C file beside this one."""
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        subprocess.run(["cc", "-O2", "-o", path, os.path.join(HERE, name + ".c"), "-lpthread"], check=True)
    return path


def release():
    """A release build of Postern."""
    subprocess.run(["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "postern"], cwd=ROOT, check=True,
                   stdout=sys.stderr)
    return os.path.join(ROOT, ".build/release/postern")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=30):
    for _ in range(int(seconds / 0.02)):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def threads_seconds(pid):
    """Time that all threads of one process have run, by the scheduler's own account, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(open(f"/proc/{pid}/task/{thread}/schedstat").read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1e9


def family(pid):
    """The process and all that came of it and live."""
    members, found = [], [int(pid)]
    while found:
        one = found.pop()
        members.append(one)
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                found += map(int, open(f"/proc/{one}/task/{thread}/children").read().split())
        except FileNotFoundError:
            pass
    return members


def family_seconds(pid):
    """CPU time of a process and all that came of it, the dead included, in ticks of the kernel's clock (10 ms)."""
    ticks = 0
    for member in family(pid):
        try:
            fields = open(f"/proc/{member}/stat").read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # utime, stime, and those of the children that were waited for
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def family_memory(pid):
    """Octets of memory in use by a process and all that came of it, what they share counted once (PSS)."""
    total = 0
    for member in family(pid):
        try:
            total += int(re.search(r"^Pss:\s+(\d+) kB", open(f"/proc/{member}/smaps_rollup").read(), re.MULTILINE).group(1)) * 1024
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def resident(pid):
    """Octets of memory in use."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{pid}/status").read()).group(1)) * 1024


def allow_descriptors(count):
    """Raises the limit on open files as far as it goes; how many of `count` there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200), hard))
    return min(count, hard - 200)


@contextlib.contextmanager
def inotify_instances(count):
    """Has the kernel let one user have so many instances of inotify meanwhile: Dovecot takes one for each session that waits."""
    path = "/proc/sys/fs/inotify/max_user_instances"
    before = int(open(path).read())
    if before < count:
        with open(path, "w") as file:
            file.write(str(count))
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(str(before))


def connections(port):
    """TCP connections that stand at a port of this machine, as the kernel counts them."""
    found = set()
    for line in open("/proc/net/tcp").readlines()[1:]:
        _, local, remote, state = line.split()[:4]
        # While the table changes a line may come twice.
        if state == "01" and int(local.rpartition(":")[2], 16) == port:
            found.add(remote)
    return len(found)


def certificate(directory):
    """A certificate for 127.0.0.1 that nobody has signed, its key, and its SHA-256 in hexadecimal."""
    paths = [os.path.join(directory, name) for name in ("certificate.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    octets = ssl.PEM_cert_to_DER_cert(open(paths[0]).read())
    return *paths, hashlib.sha256(octets).hexdigest()


def describe():
    """One line about what was measured on."""
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    name = model.group(1) if model else "unknown processor"
    return f"{os.cpu_count()} processors ({name}), Linux {os.uname().release}"
