"""What the tests of lbctl share: how it is run, what a daemon might say, how it may end."""

import os
import subprocess
import unittest

from fake_daemon import FakeDaemon, result

LBCTL = os.environ.get("LBCTL", "build/control/lbctl")
SILENCE_SECONDS = 30

SERVICE = "10.96.0.10:80/tcp"
BACKEND = {"address": "10.1.0.5", "port": 8080, "weight": 1, "state": "active"}
BACKEND_IPV6 = {"address": "fd00::5", "port": 8080, "weight": 0, "state": "down"}
WEB = {"name": "default/web", "address": "10.96.0.10", "port": 80, "protocol": "tcp",
       "algorithm": "maglev", "affinity_seconds": 0, "source_ranges": [],
       "backends": [BACKEND, BACKEND_IPV6], "source": "operator", "id": 3}
DOCUMENT = {"services": [{"address": "10.96.0.10", "port": 80, "protocol": "tcp",
                          "backends": [{"address": "10.1.0.5", "port": 8080}]}]}
COUNTED = {"packets": 10, "bytes": 2048}
STATS = {"verdicts": {"sent": dict(COUNTED, meaning="to a backend"),
                      "malformed": {"packets": 0, "bytes": 0, "meaning": "no sense"}},
         "services": [{"service": SERVICE, "name": None, "connections": 4, "request": COUNTED,
                       "reply": COUNTED, "backends": [dict(BACKEND, connections=4,
                                                           request=COUNTED, reply=COUNTED)]}]}
STATUS = {"version": "0.1.0", "pid": 42, "uptime_seconds": 3725, "ready": True, "services": 2,
          "backends": 5, "limits": {"services": 100, "backends": 200, "connections": 300},
          "sources": {"operator": 1, "file": 1}, "interfaces": {"wanted": 2, "attached": 1},
          "neighbours": {"resolved": 3, "unresolved": 1}, "repaired": 0, "pin": "/pin",
          "state": "/state", "socket": "/socket"}
DENIED = {"prefix": "203.0.113.0/24", "sources": ["operator"], "remaining_seconds": None,
          "packets": 12, "bytes": 2048}
CONNECTION = {"protocol": "tcp", "client": "192.0.2.7:40000", "service": "10.96.0.10:80",
              "backend": "10.1.0.5:8080", "alias_port": None, "masquerade": None,
              "tunnelled": False,
              "state": "established", "idle_seconds": 75}


def run(*words, daemon=None, **options):
    """Ends with .returncode, .stdout, .stderr of lbctl with these words."""
    place = ["--socket", daemon.path] if daemon else []
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([LBCTL, *place, *words], stderr=subprocess.PIPE, text=True,
                          timeout=2 * SILENCE_SECONDS, **options)


def show(value, *words):
    with FakeDaemon(result(value)) as daemon:
        return run(*words, daemon=daemon)


class LbctlTest(unittest.TestCase):
    def assert_ends(self, ended, status, *fragments):
        """With this status and one line on stderr that holds the fragments."""
        self.assertEqual(ended.returncode, status, ended.stderr)
        self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)
        self.assertTrue(ended.stderr.startswith("lbctl: "), ended.stderr)
        for fragment in fragments:
            self.assertIn(fragment, ended.stderr)

    def assert_prints(self, value, words, expected):
        ended = show(value, *words)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(ended.stdout, expected)
