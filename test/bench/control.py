#!/usr/bin/python3
"""The control part's measurements that need traffic: from a change to the first right packet.

    control.py SETTINGS            a JSON object, see control.sh

Notes go to stdout, a JSON object a line. One process holds sockets in the client's and the
backend's namespace, sends a request every few microseconds and looks for the answer: what is
measured ends with a packet that really was balanced. A socket's way through the kernel and Python
is in every figure; `floor` is that way alone.
"""

import ctypes
import json
import os
import socket
import statistics
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
CLIENT = "172.16.0.1"
PODS = [f"10.128.0.{i}" for i in range(5)]
POD_PORT = 9000  # of the services added here: the plan's backends start at 8000
DEADLINE = 30.0


def note(key, value):
    print(json.dumps({"note": key, "value": round(value, 3)}), flush=True)


class Lane:
    """Sockets on both sides of a lane, in one thread."""

    def __init__(self, prefix, lane):
        self.prefix, self.lane = f"{prefix}-{lane}", lane
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.client = None
        self.pods = [self.socket_in("backend", pod, POD_PORT) for pod in PODS]

    def enter(self, fd):
        if LIBC.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def socket_in(self, name, address, port):
        fd = os.open(f"/run/netns/{self.prefix}-{name}", os.O_RDONLY)
        self.enter(fd)
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        made.setblocking(False)
        self.enter(self.home)
        os.close(fd)
        return made

    def renew(self):
        """A new port for the client: one port may reach a pod through one service only."""
        if self.client:
            self.client.close()
        self.client = self.socket_in("client", CLIENT, 0)
        for pod in self.pods:
            while receive(pod):
                pass

    def ask(self, target, token):
        """One request, the backends' turn, and whether our answer has come."""
        try:
            self.client.sendto(token, target)
        except OSError:
            pass
        for pod in self.pods:
            asked = receive(pod)
            if asked:
                pod.sendto(*asked)
        answer = receive(self.client)
        return bool(answer) and answer[0] == token and answer[1] == target

    def answered_after(self, target, act):
        """Milliseconds from just before act() until target answers; act may return a process."""
        self.renew()
        token = os.urandom(8)
        start = time.perf_counter()
        process = act()
        while not self.ask(target, token):
            if time.perf_counter() - start > DEADLINE:
                raise SystemExit(f"lane {self.lane}: {target} does not answer")
        spent = (time.perf_counter() - start) * 1e3
        if process:
            process.wait()
        return spent


def receive(made):
    try:
        return made.recvfrom(64)
    except (BlockingIOError, ConnectionRefusedError):
        return None
    except OSError:
        return None


def spawn(*command, stdin=None):
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL)


def wall(*command):
    """Milliseconds that a command takes, spawned with vfork: Python's own fork would weigh more."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return (time.perf_counter() - start) * 1e3


def service_address(number):
    return f"10.110.{number // 256}.{number % 256}"


def add_command(settings, number):
    backends = [word for pod in PODS for word in ("--backend", f"{pod}:{POD_PORT}")]
    return [settings["lbctl"], "--socket", settings["socket"], "service", "add",
            f"{service_address(number)}:80/udp", *backends]


def measure_commands(settings):
    """lbctl beside an empty process, interleaved."""
    empty, add, change, report = [], [], [], []
    rounds = 11 if settings["quick"] else 41
    base = [settings["lbctl"], "--socket", settings["socket"]]
    for i in range(1, rounds + 1):
        empty.append(wall("/bin/true"))
        add.append(wall(*add_command(settings, i)))
        change.append(wall(*base, "backend", "set", f"{service_address(i)}:80/udp",
                           f"{PODS[0]}:{POD_PORT}", "--weight", str(1 + i % 7 + 1)))
        report.append(wall(*base, "version"))
    note("empty process ms", statistics.median(empty))
    for what, spent in (("service add", add), ("backend set", change), ("version", report)):
        above = statistics.median(a - b for a, b in zip(spent, empty))
        note(f"lbctl {what} above empty ms", above)


def measure_ours(settings, lane):
    rounds = 3 if settings["quick"] else 7
    first = []
    floor = []
    for i in range(1000, 1000 + rounds):
        target = (service_address(i), 80)
        first.append(lane.answered_after(target, lambda n=i: spawn(*add_command(settings, n))))
        floor.append(lane.answered_after(target, lambda: None))
    note("service add to first packet ms", statistics.median(first))
    note("packet there and back ms", statistics.median(floor))
    measure_mac(lane, (service_address(1000), 80), rounds)


def set_mac(lane, mac):
    """The backend's address and the node's entry for it, as an announcement would set it."""
    subprocess.run(["ip", "-n", f"{lane.prefix}-backend", "link", "set", "b0", "address", mac],
                   check=True)
    return spawn("ip", "-n", f"{lane.prefix}-node", "neigh", "replace", "198.51.100.2", "lladdr",
                 mac, "dev", "n1", "nud", "permanent")


def measure_mac(lane, target, rounds):
    """Beside it the kernel's own forwarding to a pod, which has `ip neigh` in it as well."""
    ours, kernel = [], []
    for i in range(rounds):
        macs = f"02:00:00:00:01:{i:02x}", f"02:00:00:00:02:{i:02x}"
        ours.append(lane.answered_after(target, lambda mac=macs[0]: set_mac(lane, mac)))
        kernel.append(lane.answered_after((PODS[0], POD_PORT),
                                          lambda mac=macs[1]: set_mac(lane, mac)))
        lane.answered_after(target, lambda: None)
    note("MAC change to first packet ms", statistics.median(ours))
    note("MAC change to first packet, kernel forwarding ms", statistics.median(kernel))


def measure_rules(settings, lane):
    """One more service for kube-proxy's rules, as its partial sync writes it."""
    for kind in ("iptables", "nftables"):
        if kind not in settings["lane"]:
            continue
        spent = []
        for i in range(1, 3 if settings["quick"] else 4):
            address = service_address(i)
            backends = ",".join(f"{pod}:{POD_PORT}" for pod in PODS)
            rules = f"{settings['work']}/one-more"
            with open(rules, "w", encoding="ascii") as out:
                subprocess.run([settings["makers"], kind, str(settings["services"]), "--only",
                                "--extra", f"udp:{address}:80={backends}"], stdout=out, check=True)
            enter = ["nsenter", f"--net=/run/netns/{lane.prefix}-node"]
            command = {"iptables": [*enter, "iptables-legacy-restore", "--noflush", "--counters"],
                       "nftables": [*enter, "nft", "-f", rules]}[kind]
            with open(rules, encoding="ascii") as source:
                spent.append(lane.answered_after(
                    (address, 80), lambda c=command, s=source: spawn(*c, stdin=s)))
        note(f"{kind} {settings['services']} one more to first packet ms",
             statistics.median(spent))


def main():
    settings = json.loads(sys.argv[1])
    lane = Lane(settings["prefix"], settings["lane"])
    if settings["lane"].startswith("ours"):
        measure_commands(settings)
        measure_ours(settings, lane)
    else:
        measure_rules(settings, lane)


if __name__ == "__main__":
    main()
