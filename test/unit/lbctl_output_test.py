#!/usr/bin/python3
"""What lbctl prints: confirmations, tables, JSON, on terminals, into files and closed pipes."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_daemon import FakeDaemon, result
from lbctl_case import (BACKEND, CONNECTION, COUNTED, DENIED, DOCUMENT, LBCTL, SERVICE, STATS,
                        STATUS, WEB, LbctlTest, run, show)


class Output(LbctlTest):
    def test_confirmations_are_one_line(self):
        backend = dict(BACKEND, service=SERVICE)
        counts = {"added": 1, "changed": 2, "removed": 3, "unchanged": 4}
        for value, words, expected in [
                (WEB, ["service", "add", "10.96.0.10:80"],
                 "added 10.96.0.10:80/tcp with 2 backends\n"),
                (WEB, ["service", "set", "a/b", "--affinity=0"], "changed 10.96.0.10:80/tcp\n"),
                (WEB, ["service", "del", "a/b"], "removed 10.96.0.10:80/tcp\n"),
                (backend, ["backend", "add", "a/b", "10.1.0.5:8080"],
                 "added 10.1.0.5:8080 to 10.96.0.10:80/tcp\n"),
                (backend, ["backend", "set", "a/b", "10.1.0.5:8080", "--weight", "1"],
                 "changed 10.1.0.5:8080 of 10.96.0.10:80/tcp: active, weight 1\n"),
                (dict(backend, state="draining", deadline="2099-12-31T23:59:59.000Z"),
                 ["backend", "set", "a/b", "10.1.0.5:8080", "--deadline", "1d"],
                 "changed 10.1.0.5:8080 of 10.96.0.10:80/tcp: draining until "
                 "2099-12-31T23:59:59.000Z, weight 1\n"),
                (backend, ["backend", "del", "a/b", "10.1.0.5:8080"],
                 "removed 10.1.0.5:8080 from 10.96.0.10:80/tcp\n"),
                ({"name": "eth0", "mode": "native", "error": None},
                 ["interface", "add", "eth0"], "added eth0 (native)\n"),
                ({"name": "eth9", "mode": "none", "error": "no such device"},
                 ["interface", "add", "eth9"], "added eth9, not attached: no such device\n"),
                ({}, ["interface", "del", "eth0"], "removed eth0\n"),
                ({"flushed": 1}, ["connection", "flush"], "flushed 1 connection\n"),
                (dict(DENIED, updated=False), ["deny", "add", "203.0.113.0/24"],
                 "denied 203.0.113.0/24\n"),
                (dict(DENIED, updated=True, remaining_seconds=30),
                 ["deny", "add", "203.0.113.0/24", "--for", "30s"],
                 "updated 203.0.113.0/24 for 30s\n"),
                (dict(DENIED, still_denied=False), ["deny", "del", "203.0.113.0/24"],
                 "removed 203.0.113.0/24\n"),
                (dict(DENIED, still_denied=True), ["deny", "del", "203.0.113.0/24"],
                 "removed 203.0.113.0/24, which a file still denies\n"),
                ({"version": "0.2", "abi": 3}, ["version"],
                 run("--version").stdout + "lbd 0.2 (abi 3)\n")]:
            with self.subTest(words=words):
                self.assert_prints(value, words, expected)
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump(DOCUMENT, file)
            file.flush()
            self.assert_prints(counts, ["apply", file.name],
                               "added 1, changed 2, removed 3, left 4 unchanged\n")
            self.assert_prints(dict(counts, deny=counts), ["apply", file.name],
                               "added 1, changed 2, removed 3, left 4 unchanged\n"
                               "deny: added 1, changed 2, removed 3, left 4 unchanged\n")
            self.assert_prints(dict(counts, dry_run=True), ["apply", "--dry-run", file.name],
                               "would add 1, change 2, remove 3, leave 4 unchanged\n")

    def test_tables_are_aligned(self):
        dns = dict(WEB, address="fd00::10", port=53, protocol="udp", name=None, backends=[])
        self.assert_prints({"services": [WEB, dns]}, ["service", "list"], (
            "SERVICE            NAME         ALGORITHM  BACKENDS  SOURCE\n"
            "10.96.0.10:80/tcp  default/web  maglev          1/2  operator\n"
            "[fd00::10]:53/udp  -            maglev          0/0  operator\n"))
        aliased = dict(CONNECTION, service="10.96.0.11:80", alias_port=41235)
        elsewhere = dict(CONNECTION, masquerade="192.0.2.1:1024")
        self.assert_prints({"connections": [CONNECTION, aliased, elsewhere]},
                           ["connection", "list"], (
            "PROTOCOL  CLIENT           SERVICE        BACKEND        ALIAS  AS              "
            "STATE         IDLE\n"
            "tcp       192.0.2.7:40000  10.96.0.10:80  10.1.0.5:8080      -  -               "
            "established  1m15s\n"
            "tcp       192.0.2.7:40000  10.96.0.11:80  10.1.0.5:8080  41235  -               "
            "established  1m15s\n"
            "tcp       192.0.2.7:40000  10.96.0.10:80  10.1.0.5:8080      -  192.0.2.1:1024  "
            "established  1m15s\n"))
        host = dict(DENIED, prefix="fd00::7/128", sources=["operator", "file"],
                    remaining_seconds=3725)
        self.assert_prints({"deny": [DENIED, host]}, ["deny", "list"], (
            "PREFIX          REMAINING  PACKETS   BYTES  SOURCE\n"
            "203.0.113.0/24          -       12  2.0KiB  operator\n"
            "fd00::7/128          1h2m       12  2.0KiB  operator, file\n"))
        self.assert_prints({"neighbours": []}, ["neighbour", "list"],
                           "BACKEND  GATEWAY  INTERFACE  MAC  STATE  MANAGED\n")

    def test_a_service_is_shown_as_a_block_and_its_backends(self):
        ranged = dict(WEB, source_ranges=["10.0.0.0/8", "192.0.2.0/24"], affinity_seconds=7200)
        self.assert_prints(ranged, ["service", "show", "a/b"], (
            "service        10.96.0.10:80/tcp\nname           default/web\n"
            "id             3\nsource         operator\nalgorithm      maglev\n"
            "affinity       2h0m\nsource ranges  10.0.0.0/8, 192.0.2.0/24\n\n"
            "BACKEND         WEIGHT  STATE   DEADLINE\n10.1.0.5:8080        1  active  -\n"
            "[fd00::5]:8080       0  down    -\n"))

    def test_deadlines_are_shown(self):
        drains = dict(BACKEND, state="draining", deadline="2099-12-31T23:59:59.000Z")
        self.assertIn("1  draining  2099-12-31T23:59:59.000Z\n",
                      show(dict(WEB, backends=[drains]), "service", "show", "a/b").stdout)
        listed = dict(drains, remaining_seconds=90, connections=4, request=COUNTED, reply=COUNTED,
                      service=SERVICE)
        self.assertRegex(show({"backends": [listed]}, "backend", "list").stdout,
                         r"10\.1\.0\.5:8080 +1 +draining +1m30s +4 ")

    def test_status_and_stats_are_readable(self):
        shown = show(STATUS, "status").stdout
        for line in ["ready        yes", "uptime       1h2m", "services     2 of 100",
                     "sources      operator 1, file 1", "interfaces   1 of 2 attached"]:
            self.assertIn(line + "\n", shown)

        shown = show(STATS, "stats").stdout
        self.assertRegex(shown, r"sent +10 +2.0KiB +to a backend\n")
        self.assertNotIn("malformed", shown)
        self.assertNotIn("10.1.0.5", shown)
        self.assertRegex(show(STATS, "stats", "a/b").stdout, r"10.1.0.5:8080 +1 +active +4 +10 ")

    def test_names_cannot_steer_the_terminal(self):
        shown = show({"services": [dict(WEB, name="ü/\x1b[2J\n\x9b")]}, "service", "list").stdout
        self.assertIn("10.96.0.10:80/tcp  ü/?[2J???  maglev", shown)

    def test_json_is_the_daemons_value_with_its_keys_in_order(self):
        for words in (["service", "show", "a/b", "-o", "json"], ["export"],
                      ["--output=json", "service", "del", "a/b"]):
            self.assert_prints(WEB, words, json.dumps(WEB, indent=2) + "\n")

    def test_a_full_disk_and_a_closed_pipe_are_failures(self):
        for words in (["--help"], ["--version"]):
            with open("/dev/full", "w") as full:
                self.assert_ends(run(*words, stdout=full), 1, "No space left on device")
        for form in ("json", "table"):
            reader, writer = os.pipe()
            os.close(reader)
            with FakeDaemon(result({"services": [WEB] * 5000})) as daemon:
                ended = run("service", "list", "-o", form, daemon=daemon, stdout=writer)
            os.close(writer)
            self.assert_ends(ended, 1, "Broken pipe")


class Terminals(LbctlTest):
    def run_on_terminal(self, value, words, environment):
        master, slave = pty.openpty()
        with FakeDaemon(result(value)) as daemon:
            run(*words, daemon=daemon, stdout=slave, env=environment)
        os.close(slave)
        shown = os.read(master, 65536).decode()
        os.close(master)
        return shown

    def test_colours_are_for_terminals_without_no_color(self):
        words = ["service", "show", "a/b"]
        for environment, coloured in [({}, True), ({"NO_COLOR": ""}, True),
                                      ({"NO_COLOR": "1"}, False)]:
            shown = self.run_on_terminal(WEB, words, environment)

            self.assertEqual("\x1b[32mactive\x1b[0m" in shown, coloured)
            self.assertEqual("\x1b[1mBACKEND\x1b[0m" in shown, coloured)
        self.assertNotIn("\x1b", show(WEB, *words).stdout)


class Watching(LbctlTest):
    def watch(self, *words):
        """Three answers, ten packets more each, then an interrupt."""
        asked = []
        done = threading.Event()

        def answer(request):
            asked.append(request)
            if len(asked) == 4:
                done.set()
            stats = json.loads(json.dumps(STATS))
            stats["verdicts"]["sent"]["packets"] = 10 * len(asked)
            stats["services"][0]["request"]["bytes"] = 4096 * len(asked)
            return json.dumps({"result": stats}).encode() + b"\n"

        with FakeDaemon(answer) as daemon:
            process = subprocess.Popen([LBCTL, "--socket", daemon.path, "stats", "--watch",
                                        *words], stdout=subprocess.PIPE, text=True)
            done.wait(10)
            process.send_signal(signal.SIGINT)
            shown, _ = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(asked[0], {"command": "stats"})
        return shown

    def test_watch_shows_rates_and_ends_well_when_interrupted(self):
        shown = self.watch()

        self.assertRegex(shown, r"sent +10 +- +- +to a backend\n")
        self.assertRegex(shown, r"sent +30 +(9|10) +0B +to a backend\n")
        self.assertRegex(shown, r"10.96.0.10:80/tcp +- +4 +0 +0 +(3.9|4.0)KiB +0 +0B\n")
        self.assertNotIn("\x1b", shown)

    def test_watched_json_is_a_value_a_line(self):
        for line in self.watch("-o", "json").splitlines()[:3]:
            self.assertEqual(list(json.loads(line)), ["verdicts", "services"])


if __name__ == "__main__":
    unittest.main()
