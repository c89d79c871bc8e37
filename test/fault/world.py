"""What faults.py works on: a node with two interfaces, lbd in it with the shim, lbctl.

Everything lies in namespaces of this process's own (run.sh), so nothing is left of it.
"""

import json
import mmap
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))

CLASSES = [
    "", "bpf", "netlink", "stream", "socket", "accept", "epoll", "timer", "open", "read", "write",
    "sync", "rename", "truncate", "directory", "stat", "lock", "ioctl", "mmap", "memory",
    "process",
]
FAIL, DIE, HALVE = range(3)
TOTAL = 31  # where calls of all classes but memory are counted
SITES = 65536
READY_SECONDS = 60

LIMITS = ["--max-services", "64", "--max-backends", "128", "--max-connections", "1024",
          "--max-affinity", "64", "--max-fragments", "64", "--max-new-connections", "1000"]

TABLES = {"services": [
    {"address": "10.96.7.7", "port": 80, "protocol": "tcp", "name": "files/first",
     "backends": [{"address": "10.1.0.11", "port": 7}, {"address": "10.1.0.12", "port": 7}]}],
    "deny": [{"prefix": "198.51.100.0/24"}]}


class Control:
    """The file of fault.h, by the order of its members."""

    WORDS = ["armed", "nth", "last", "action", "error", "failed", "recorded", "clock_ms", "blocks",
             "seed"]
    WHERE = 32 + len(WORDS)
    SITES_AT = WHERE + 8

    def __init__(self, path):
        path.write_bytes(bytes(8 * (self.SITES_AT + SITES + 1)))
        self.path = path
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self.words = memoryview(self.memory).cast("q")
        self.set("seed", 4711)

    def get(self, word):
        return self.words[32 + self.WORDS.index(word)]

    def set(self, word, value):
        self.words[32 + self.WORDS.index(word)] = value

    def reached(self, number):
        return self.words[number]

    def where(self):
        return bytes(self.memory[8 * self.WHERE:8 * self.SITES_AT]).split(b"\0")[0].decode()

    def restart(self):
        """Of a process that is about to begin."""
        for number in range(32):
            self.words[number] = 0
        self.set("blocks", 0)
        self.disarm()

    def arm(self, fault, nth, action=FAIL, length=1):
        """The nth call from now on fails, and length - 1 after it."""
        begun = self.reached(TOTAL if action == DIE else fault)
        self.set("failed", 0)
        self.set("action", action)
        self.set("last", begun + nth + length - 1)
        self.set("nth", begun + nth)
        self.set("armed", fault)

    def disarm(self):
        self.set("armed", 0)
        self.set("nth", 0)
        self.set("action", FAIL)

    def record(self, fault):
        self.words[self.SITES_AT + SITES] = self.reached(fault)
        self.set("recorded", fault)

    def recorded(self, fault):
        """The callers of each call since, in their order."""
        count = self.reached(fault) - self.words[self.SITES_AT + SITES]
        self.set("recorded", 0)
        return [self.words[self.SITES_AT + i] for i in range(1, min(count, SITES - 1) + 1)]


def run(*words):
    subprocess.run(words, check=True)


def make_network():
    """in0 gets packets, pod0 leads to backends whose addresses are known."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns") if os.path.isdir("/run/netns") else None
    run("ip", "netns", "add", "pod")
    run("ip", "link", "set", "lo", "up")
    for name in ["in0", "pod0", "extra0"]:
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth-" + name, "netns",
            "pod")
        run("ip", "link", "set", name, "up")
        run("ip", "netns", "exec", "pod", "ip", "link", "set", "eth-" + name, "up")
    run("ip", "address", "add", "10.1.0.1/24", "dev", "pod0")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "in0")
    for number in range(11, 19):
        run("ip", "neighbour", "replace", f"10.1.0.{number}", "lladdr",
            f"02:00:00:00:00:{number}", "dev", "pod0", "nud", "permanent")


class World:
    def __init__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="lbt-fault."))
        self.control = Control(self.work / "control")
        self.bpffs = self.work / "bpf"
        self.bpffs.mkdir()
        run("mount", "-t", "bpf", "bpf", str(self.bpffs))
        self.pin = self.bpffs / "lbd"
        self.socket = self.work / "lbd.sock"
        self.state = self.work / "state" / "operator.json"
        self.log = self.work / "lbd.log"
        self.tables = self.work / "tables.json"
        self.tables.write_text(json.dumps(TABLES))
        self.lbd = None
        self.options = []
        make_network()

    def finish(self):
        if self.lbd:
            self.kill()
        self.forget_pins()
        subprocess.run(["umount", "-l", str(self.bpffs)], check=False)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.work)

    def forget_pins(self):
        """The kernel takes the links off a moment later."""
        shutil.rmtree(self.pin, ignore_errors=True)

    def launch(self, record=0):
        self.control.set("recorded", record)
        self.control.words[Control.SITES_AT + SITES] = 0
        environment = dict(os.environ, LD_PRELOAD=str(BUILD / "test/fault/libfault.so"),
                           LBT_FAULT=str(self.control.path))
        with open(self.log, "wb") as log:
            self.lbd = subprocess.Popen(
                [str(BUILD / "control/lbd"), "--pin", str(self.pin), "--socket", str(self.socket),
                 "--state", str(self.state), "--tables", str(self.tables), "--interface", "in0",
                 "--interface", "pod*", *LIMITS, *self.options],
                stderr=log, stdout=log, stdin=subprocess.DEVNULL, env=environment)

    def wait(self):
        """True: it is ready. False: it has ended. None: neither."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if b"event=ready" in self.log.read_bytes():
                return True
            if self.lbd.poll() is not None:
                return False
            time.sleep(0.003)
        return None

    def start(self):
        """Without a fault: must succeed."""
        self.control.restart()
        self.launch()
        if not self.wait():
            raise AssertionError("lbd is not ready:\n" + self.said())

    def said(self):
        return self.log.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        """Its exit status."""
        self.lbd.send_signal(number)
        try:
            return self.lbd.wait(10)
        except subprocess.TimeoutExpired:
            self.lbd.kill()
            self.lbd.wait()
            return None

    def kill(self):
        self.lbd.kill()
        self.lbd.wait()

    def lbctl(self, *words):
        """Exit status and what it said."""
        done = subprocess.run([str(BUILD / "control/lbctl"), "--socket", str(self.socket), *words],
                              capture_output=True, text=True, timeout=70, check=False)
        return done.returncode, (done.stdout if not done.returncode else done.stderr).strip()

    def exported(self):
        """What is in force; when it ends changes with the clock."""
        status, text = self.lbctl("export")
        if status:
            time.sleep(0.2)
            raise AssertionError(f"export: {text}; lbd: {self.lbd.poll()}\n{self.said()[-800:]}")
        document = json.loads(text)
        document["services"].sort(key=lambda s: (s["address"], s["port"], s["protocol"]))
        return json.dumps(without_times(document), sort_keys=True)

    def fds(self):
        return len(os.listdir(f"/proc/{self.lbd.pid}/fd"))

    def busy_share(self, seconds):
        """Of a CPU, while nobody asks it anything."""
        before = self.ticks()
        time.sleep(seconds)
        return (self.ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds

    def ticks(self):
        with open(f"/proc/{self.lbd.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def without_times(value):
    if isinstance(value, dict):
        return {key: "some time" if key in ("deadline", "until") else without_times(item)
                for key, item in value.items()}
    return [without_times(item) for item in value] if isinstance(value, list) else value
