#!/usr/bin/python3
"""What lbctl asks and refuses, with a fake daemon at the other end of its socket."""

import json
import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_daemon import FakeDaemon, hang, raw, refusal, result
from lbctl_case import DOCUMENT, SERVICE, SILENCE_SECONDS, WEB, LbctlTest, run


class Requests(LbctlTest):
    ROWS = [
        (["service", "add", "10.96.0.10:80"], {"command": "service add", "service": SERVICE}),
        (["service", "add", "--name", "a/b", "10.96.0.10:80", "--algorithm=random",
          "--affinity", "10", "--source-range", "10.0.0.0/8", "--source-range=192.0.2.1",
          "--backend", "10.1.0.5:8080,weight=0", "--backend=10.1.0.6:8080"],
         {"command": "service add", "service": SERVICE, "name": "a/b", "algorithm": "random",
          "affinity_seconds": 10, "source_ranges": ["10.0.0.0/8", "192.0.2.1/32"],
          "backends": [{"address": "10.1.0.5", "port": 8080, "weight": 0},
                       {"address": "10.1.0.6", "port": 8080}]}),
        (["service", "set", "a/b:http/udp", "--name", "none", "--source-range", "none",
          "--backend", "none"],
         {"command": "service set", "service": "a/b:http/udp", "name": None,
          "source_ranges": [], "backends": []}),
        (["service", "del", "[fd00::10]:53/udp"],
         {"command": "service del", "service": "[fd00::10]:53/udp"}),
        (["service", "list"], {"command": "service list"}),
        (["service", "show", "a/b"], {"command": "service show", "service": "a/b"}),
        (["backend", "add", "10.96.0.10:80", "10.1.0.5:8080", "--weight", "65535"],
         {"command": "backend add", "service": SERVICE, "backend": "10.1.0.5:8080",
          "weight": 65535}),
        (["backend", "set", "--state", "draining", "a/b", "--", "[fd00::5]:1"],
         {"command": "backend set", "service": "a/b", "backend": "[fd00::5]:1",
          "state": "draining"}),
        (["backend", "set", "a/b", "10.1.0.5:1", "--state=draining", "--deadline", "10m"],
         {"command": "backend set", "service": "a/b", "backend": "10.1.0.5:1",
          "state": "draining", "deadline_seconds": 600}),
        (["backend", "del", "a/b", "10.1.0.5:1"],
         {"command": "backend del", "service": "a/b", "backend": "10.1.0.5:1"}),
        (["backend", "list"], {"command": "backend list"}),
        (["backend", "list", "a/b"], {"command": "backend list", "service": "a/b"}),
        (["export"], {"command": "export"}),
        (["interface", "add", "veth*"], {"command": "interface add", "interface": "veth*"}),
        (["interface", "del", "eth0"], {"command": "interface del", "interface": "eth0"}),
        (["interface", "list"], {"command": "interface list"}),
        (["neighbour", "list"], {"command": "neighbour list"}),
        (["connection", "list", "--service", "a/b", "--client", "fd00:0::1"],
         {"command": "connection list", "service": "a/b", "client": "fd00::1"}),
        (["connection", "count"], {"command": "connection count"}),
        (["connection", "flush", "--service=a/b"],
         {"command": "connection flush", "service": "a/b"}),
        (["deny", "add", "203.0.113.0/24"], {"command": "deny add", "prefix": "203.0.113.0/24"}),
        (["deny", "add", "--for", "30s", "fd00:0::7"],
         {"command": "deny add", "prefix": "fd00::7/128", "for_seconds": 30}),
        (["deny", "add", "10.0.0.0/8", "--for=10m"],
         {"command": "deny add", "prefix": "10.0.0.0/8", "for_seconds": 600}),
        (["deny", "add", "10.0.0.0/8", "--for", "2h"],
         {"command": "deny add", "prefix": "10.0.0.0/8", "for_seconds": 7200}),
        (["deny", "add", "10.0.0.0/8", "--for", "3650d"],
         {"command": "deny add", "prefix": "10.0.0.0/8", "for_seconds": 315360000}),
        (["deny", "add", "10.0.0.0/8", "--for", "45"],
         {"command": "deny add", "prefix": "10.0.0.0/8", "for_seconds": 45}),
        (["deny", "del", "192.0.2.1"], {"command": "deny del", "prefix": "192.0.2.1/32"}),
        (["deny", "list"], {"command": "deny list"}),
        (["stats"], {"command": "stats"}),
        (["stats", "10.96.0.10:80"], {"command": "stats", "service": SERVICE}),
        (["status"], {"command": "status"}),
        (["version"], {"command": "version"}),
    ]

    def test_every_command_asks_what_the_protocol_says(self):
        for words, request in self.ROWS:
            for form in ([], ["-o", "json"], ["-ojson"]):
                with self.subTest(words=words), FakeDaemon(result({})) as daemon:
                    run(*form, *words, daemon=daemon)

                    self.assertEqual(daemon.requests, [request])

    def test_apply_sends_the_document_of_a_file_or_of_stdin(self):
        text = json.dumps(DOCUMENT)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            for words, request in [
                    (["apply", file.name], {}),
                    (["apply", "-"], {}),
                    (["apply", "--dry-run", file.name], {"dry_run": True}),
                    (["apply", file.name, "--prune"], {"prune": True})]:
                with self.subTest(words=words), FakeDaemon(result({})) as daemon:
                    ended = run(*words, daemon=daemon, input=text)

                    self.assertEqual(ended.returncode, 0, ended.stderr)
                    expected = {"command": "apply", "document": DOCUMENT, **request}
                    self.assertEqual(daemon.requests, [expected])


class Usage(LbctlTest):
    def test_wrong_commands_and_options_are_named_with_the_nearest(self):
        for words, *fragments in [
                ([], "a command is missing", "`lbctl --help`"),
                (["servce"], '"servce"', "mean service?", "`lbctl --help`"),
                (["xyzzy"], '"xyzzy"', "`lbctl --help`"),
                (["service"], "service", "add, set, del, list, show"),
                (["service", "delete", "a/b"], '"delete"', "mean del?"),
                (["service", "add"], "SERVICE is missing"),
                (["service", "set", "a/b"], "an option"),
                (["backend", "add", "a/b"], "BACKEND is missing"),
                (["backend", "add", "a/b", "c:1", "d"], '"d"'),
                (["backend", "set", "a/b", "10.1.0.5:1", "--wieght=3"], "--wieght", "--weight?"),
                (["backend", "set", "a/b", "10.1.0.5:1", "--weight"], "--weight: N is missing"),
                (["service", "add", "a", "--name", "a/b", "--name", "c/d"], "--name", "twice"),
                (["apply", "/nonexistent", "--dry-run=yes"], "--dry-run: takes no value"),
                (["status", "-x"], "-x"),
                (["status", "-o", "yaml"], '"yaml"', "table", "json"),
                (["--socket"], "PATH is missing"),
                (["a\nb\x1b[31m"], '"a?b?[31m"')]:
            with self.subTest(words=words):
                self.assert_ends(run(*words), 2, *fragments)

    def test_commands_of_later_versions_say_so(self):
        for later in ["top", "monitor", "explain"]:
            self.assert_ends(run(later, "list"), 2, later, "not part of this version")

    def test_help_and_version_need_no_daemon(self):
        for words, fragment in [
                (["--help"], "connection flush"), (["service", "--help"], "--source-range CIDR"),
                (["backend", "set", "-h"], "--state active|draining|down"),
                (["--version"], "lbctl ")]:
            ended = run(*words)

            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertIn(fragment, ended.stdout)


class Refusals(LbctlTest):
    def test_a_bad_word_is_refused_before_connecting(self):
        for words, *fragments in [
                (["service", "add", "10.96.0.10:70000"], "70000", "1–65535"),
                (["service", "add", "10.96.0.10"], "10.96.0.10"),
                (["service", "add", "a/b"], "a/b", "--name"),
                (["service", "del", "10.96.0.10/24"], "10.96.0.10/24"),
                (["service", "add", "10.96.0.10:80", "--affinity", "86401"], "86401", "0–86400"),
                (["service", "add", "10.96.0.10:80", "--algorithm", "rr"], '"rr"', "round-robin"),
                (["service", "add", "10.96.0.10:80", "--name", "web"], '"web"', "NS/NAME"),
                (["service", "add", "10.96.0.10:80", "--source-range", "10.0.0.1/8"], "10.0.0.1"),
                (["service", "add", "10.96.0.10:80", "--backend", "10.1.0.5:1,w=1"], "weight=N"),
                (["service", "add", "10.96.0.10:80", "--backend", "10.1.0.5:1,weight="], "65535"),
                (["service", "add", "10.96.0.10:80", "--backend", "x" * 5000], "xxx"),
                (["backend", "set", "a/b", "10.1.0.5:1", "--weight", "-1"], '"-1"', "0–65535"),
                (["backend", "set", "a/b", "10.1.0.5:1", "--weight=65536"], '"65536"', "0–65535"),
                (["backend", "set", "a/b", "10.1.0.5:1", "--state", "up"], '"up"', "draining"),
                (["backend", "set", "a/b", "10.1.0.5:1", "--deadline", "5x"], "--deadline", '"5x"'),
                (["connection", "list", "--client", "10.0.0.256"], "10.0.0.256"),
                (["deny", "add", "10.0.0.1/8"], '"10.0.0.1/8"', "10.0.0.0/8"),
                (["deny", "add", "10.0.0.0/33"], '"33"', "0–32"),
                (["deny", "del", "web"], '"web"', "IPv4 or IPv6"),
                (["deny", "add", "10.0.0.0/8", "--for", "5x"], "--for", '"5x"', "30s, 10m"),
                (["deny", "add", "10.0.0.0/8", "--for", "0"], "--for", '"0"'),
                (["deny", "add", "10.0.0.0/8", "--for", "h"], "--for", '"h"'),
                (["deny", "add", "10.0.0.0/8", "--for", "-5s"], "--for", '"-5s"'),
                (["deny", "add", "10.0.0.0/8", "--for", "3651d"], "--for", '"3651d"', "3650d"),
                (["deny", "add", "10.0.0.0/8", "--for", "9" * 40 + "s"], "--for", "999s"),
                (["interface", "add", "a/b"], '"a/b"'),
                (["interface", "add", "x" * 16], "15"),
                (["service", "show", b"a/\xff"], "UTF-8"),
                (["apply", "/nonexistent"], "/nonexistent", "No such file"),
                (["apply", "/"], "/", "directory")]:
            with self.subTest(words=words):
                self.assert_ends(run(*words), 1, *fragments)

    def test_a_bad_document_is_refused_with_its_path(self):
        document = json.loads(json.dumps(DOCUMENT))
        document["services"][0]["backends"][0]["port"] = 70000

        ended = run("apply", "-", input=json.dumps(document))

        self.assert_ends(ended, 1, "services[0].backends[0].port", "70000", "1–65535")

    def test_what_the_daemon_refuses_is_said_in_its_words(self):
        with FakeDaemon(refusal("service a/b does not\nexist")) as daemon:
            ended = run("service", "del", "a/b", daemon=daemon)

        self.assert_ends(ended, 1, "lbctl: service a/b does not?exist\n")


class Daemons(LbctlTest):
    def test_no_daemon_is_told_with_path_and_remedy(self):
        with tempfile.NamedTemporaryFile() as file:
            for path in ["/nonexistent/lbd.sock", file.name]:
                self.assert_ends(run("status", "--socket", path), 3, path, "start lbd")

    def test_a_socket_path_that_cannot_be_is_refused(self):
        for path in ["", "x" * 108]:
            self.assert_ends(run("status", "--socket", path), 1, "--socket")

    def test_answers_that_are_none_are_refused(self):
        for answer, fragment in [
                ([b""], "without an answer"), ([b'{"result": {'], "in the middle"),
                ([b"HTTP/1.1 400 Bad Request\n"], "not lbd"), ([b"[]\n"], "not lbd"),
                ([b"{}\n"], "not lbd"), ([b"\xff\x00\n"], "not lbd"),
                ([b'{"result": 5}\n'], "another shape")]:
            with self.subTest(answer=answer), FakeDaemon(raw(*answer)) as daemon:
                self.assert_ends(run("service", "list", daemon=daemon), 1, fragment)

    def test_a_slow_daemon_and_a_long_answer_are_read_to_their_end(self):
        names = {"services": [dict(WEB, name="default/web%d" % i) for i in range(20000)]}
        line = json.dumps({"result": names}).encode()

        def answer_slowly(request):
            time.sleep(1)
            return [line[:10], line[10:], b"\n"]

        with FakeDaemon(answer_slowly) as daemon:
            ended = run("service", "list", "-o", "json", daemon=daemon)

        self.assertEqual(json.loads(ended.stdout), names)

    def test_a_hung_daemon_is_given_up(self):
        begun = time.monotonic()
        with FakeDaemon(hang) as daemon:
            ended = run("status", daemon=daemon)

        self.assert_ends(ended, 1, "silent for %d seconds" % SILENCE_SECONDS)
        self.assertGreater(time.monotonic() - begun, SILENCE_SECONDS - 1)


if __name__ == "__main__":
    unittest.main()
