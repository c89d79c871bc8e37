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
LAST_POD = [len(PODS) - 1]
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
        """One request, the backends' turn, and the number of the pod whose answer has come."""
        try:
            self.client.sendto(token, target)
        except OSError:
            pass
        for i, pod in enumerate(self.pods):
            asked = receive(pod)
            if asked:
                pod.sendto(asked[0] + bytes([i]), asked[1])
        answer = receive(self.client)
        if answer and answer[0][:-1] == token and answer[1] == target:
            return answer[0][-1]
        return None

    def answered_after(self, target, act, by=range(len(PODS))):
        """Milliseconds from just before act() until target answers by one of those pods.

        act may return a process. Where not every pod will do, each request has a new port: who
        has a connection keeps its pod.
        """
        self.renew()
        token = os.urandom(8)
        start = time.perf_counter()
        process = act()
        while self.ask(target, token) not in by:
            if time.perf_counter() - start > DEADLINE:
                raise SystemExit(f"lane {self.lane}: {target} does not answer")
            if len(by) < len(PODS):
                self.renew()
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


def spawn(*command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


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


def backends(pods):
    return [f"{pod}:{POD_PORT}" for pod in pods]


def lbctl(settings, verb, number, pods):
    """`service add` and `service set`, the latter with these backends in place of others."""
    words = [word for backend in backends(pods) for word in ("--backend", backend)]
    return [settings["lbctl"], "--socket", settings["socket"], "service", verb,
            f"{service_address(number)}:80/udp", *words]


def measure_commands(settings):
    """lbctl beside an empty process, interleaved."""
    empty, add, change, report = [], [], [], []
    rounds = 11 if settings["quick"] else 41
    base = [settings["lbctl"], "--socket", settings["socket"]]
    for i in range(1, rounds + 1):
        empty.append(wall("/bin/true"))
        add.append(wall(*lbctl(settings, "add", i, PODS)))
        change.append(wall(*base, "backend", "set", f"{service_address(i)}:80/udp",
                           f"{PODS[0]}:{POD_PORT}", "--weight", str(1 + i % 7 + 1)))
        report.append(wall(*base, "version"))
    note("empty process ms", statistics.median(empty))
    for what, spent in (("service add", add), ("backend set", change), ("version", report)):
        above = statistics.median(a - b for a, b in zip(spent, empty))
        note(f"lbctl {what} above empty ms", above)


def measure_socket(settings):
    """The same without a process: requests on one connection of the control socket."""
    spent = []
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(settings["socket"])
        lines = made.makefile("rw", encoding="utf-8")
        for i in range(2000, 2011 if settings["quick"] else 2101):
            request = {"command": "service add", "service": f"{service_address(i)}:80/udp",
                       "backends": [{"address": pod, "port": POD_PORT} for pod in PODS]}
            start = time.perf_counter()
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
            spent.append((time.perf_counter() - start) * 1e6)
            if "result" not in answer:
                raise SystemExit(f"lbd: {answer}")
    note("service add over the socket us", statistics.median(spent))


def measure_ours(settings, lane):
    rounds = 3 if settings["quick"] else 7
    first, replaced, floor = [], [], []
    for i in range(1000, 1000 + rounds):
        target = (service_address(i), 80)
        first.append(lane.answered_after(
            target, lambda n=i: spawn(*lbctl(settings, "add", n, PODS[:-1]))))
        replaced.append(lane.answered_after(
            target, lambda n=i: spawn(*lbctl(settings, "set", n, PODS[-1:])), LAST_POD))
        floor.append(lane.answered_after(target, lambda: None))
    note("service add to first packet ms", statistics.median(first))
    note("backends replaced to first packet ms", statistics.median(replaced))
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


def apply_rules(settings, lane, number, pods):
    """One more service, or other backends of it, as kube-proxy's partial sync writes it."""
    kind = settings["lane"].partition("-")[0]
    rules = f"{settings['work']}/one-more"
    with open(rules, "w", encoding="ascii") as out:
        subprocess.run([settings["makers"], kind, str(settings["services"]), "--only", "--extra",
                        f"udp:{service_address(number)}:80={','.join(backends(pods))}"],
                       stdout=out, check=True)
    command = {"iptables": ["iptables-legacy-restore", "--noflush", "--counters", rules],
               "nftables": ["nft", "-f", rules]}[kind]
    return lambda: spawn("nsenter", f"--net=/run/netns/{lane.prefix}-node", *command)


def measure_rules(settings, lane):
    added, replaced = [], []
    for i in range(1, 3 if settings["quick"] else 4):
        target = (service_address(i), 80)
        added.append(lane.answered_after(target, apply_rules(settings, lane, i, PODS[:-1])))
        replaced.append(lane.answered_after(target, apply_rules(settings, lane, i, PODS[-1:]),
                                            LAST_POD))
    name = settings["lane"].replace("-", " ")
    note(f"{name} one more to first packet ms", statistics.median(added))
    note(f"{name} backends replaced to first packet ms", statistics.median(replaced))


def main():
    settings = json.loads(sys.argv[1])
    lane = Lane(settings["prefix"], settings["lane"])
    if settings["lane"].startswith("ours"):
        measure_commands(settings)
        measure_socket(settings)
        measure_ours(settings, lane)
    else:
        measure_rules(settings, lane)


if __name__ == "__main__":
    main()
