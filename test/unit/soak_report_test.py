#!/usr/bin/python3
"""The judge of test/soak.sh finds what grows, what broke without a reason, errors, and no more."""

import json
import pathlib
import random
import subprocess
import tempfile
import unittest

REPORT = pathlib.Path(__file__).resolve().parents[1] / "netns/soak_report.py"
LOAD = {"name": "long", "service": "S", "from": 50.0, "until": 60.0, "requests": 8, "failures": 0,
        "broken": {}, "errors": {}}
BROKEN = dict(LOAD, failures=1, broken={"pod-b": 1}, errors={"reset": 1})
REMOVED = {"at": 55.0, "event": "flap", "effects": ["ends"], "service": "S", "pod": "pod-b"}
PINGS = {"name": "echo", "service": "", "from": 50.0, "until": 54.0, "sent": 40, "lost": 0}


def samples(rss=lambda second: 8000, fds=lambda second: 100, pid=lambda second: 1):
    noise = random.Random(1)
    return [{"at": 1.0 * second, "pid": pid(second), "fds": fds(second),
             "rss_kb": rss(second) + noise.randint(-20, 20),
             "connections": noise.randint(900, 1100)} for second in range(120)]


class Judge(unittest.TestCase):
    def judge(self, found=None, events=(), loads=(LOAD,), errors=""):
        """(is good, what it prints)"""
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            for file, lines in (("samples", found or samples()), ("events", events),
                                ("traffic", loads)):
                (directory / f"{file}.jsonl").write_text(
                    "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            (directory / "errors.txt").write_text(errors, encoding="utf-8")
            ended = subprocess.run([REPORT, "--plain", name], capture_output=True, text=True,
                                   check=False)
            self.assertEqual(ended.stderr, "")
            return ended.returncode == 0, ended.stdout

    def test_what_stays_as_it_is_passes(self):
        self.assertTrue(self.judge()[0])

    def test_memory_that_grows_fails(self):
        good, text = self.judge(samples(rss=lambda second: 8000 + 3 * second))
        self.assertFalse(good)
        self.assertIn("not ok - rss_kb", text)

    def test_a_descriptor_now_and_then_fails(self):
        self.assertFalse(self.judge(samples(fds=lambda second: 100 + second // 20))[0])

    def test_growth_while_warming_up_passes(self):
        self.assertTrue(self.judge(samples(rss=lambda second: 8000 + 50 * min(second, 30)))[0])

    def test_what_each_life_of_lbd_begins_with_is_no_growth(self):
        self.assertTrue(self.judge(samples(rss=lambda second: 8000 + 200 * (second // 40),
                                           pid=lambda second: second // 40 + 1))[0])

    def test_memory_that_grows_within_each_life_fails(self):
        self.assertFalse(self.judge(samples(rss=lambda second: 8000 + 5 * (second % 40),
                                            pid=lambda second: second // 40 + 1))[0])

    def test_a_connection_that_broke_without_a_reason_fails(self):
        self.assertFalse(self.judge(loads=[BROKEN])[0])

    def test_one_whose_backend_was_removed_passes(self):
        self.assertTrue(self.judge(loads=[BROKEN], events=[REMOVED])[0])

    def test_one_to_another_pod_or_of_another_service_fails(self):
        for name in ("pod", "service"):
            with self.subTest(name):
                other = dict(REMOVED, **{name: "?"})
                self.assertFalse(self.judge(loads=[BROKEN], events=[other])[0])

    def test_lost_packets_need_a_reason_at_the_time(self):
        lossy = dict(PINGS, lost=3)
        reason = {"at": 49.0, "event": "link-down", "effects": ["loses"]}
        self.assertTrue(self.judge(loads=[PINGS])[0])
        self.assertFalse(self.judge(loads=[lossy])[0])
        self.assertTrue(self.judge(loads=[lossy], events=[reason])[0])
        self.assertFalse(self.judge(loads=[lossy], events=[dict(reason, at=40.0)])[0])

    def test_an_answer_from_elsewhere_fails_whatever_was_done(self):
        reason = {"at": 49.0, "event": "link-down", "effects": ["loses"]}
        self.assertFalse(self.judge(loads=[dict(PINGS, stray=1)], events=[reason])[0])

    def test_an_error_in_the_log_fails(self):
        self.assertFalse(self.judge(errors="level=error event=sweep-failed\n")[0])


if __name__ == "__main__":
    unittest.main()
