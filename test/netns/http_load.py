#!/usr/bin/python3
"""HTTP requests, each over a new connection, and what became of them as one JSON object.

    http_load.py [-n REQUESTS | -t SECONDS] [-c CONCURRENCY] [--path PATH] [--timeout SECONDS]
                 [--pause SECONDS] ADDRESS PORT

failures             requests that did not end with a whole answer, `errors` why; of REQUESTS the
                     rest is not tried after 50 failures and counted as failed
backends             pod → answers that came whole
broken               pod → answers that began but did not end
peers                the addresses the connections claimed to have at their other end
clients              the addresses the pods saw the requests come from
slowest_ms           the longest wait for the first byte; a lost SYN costs 1000
longest_failure_ms   from the first to the last failure without a success between
"""

import argparse
import collections
import http.client
import json
import threading
import time

GIVE_UP_FAILURES = 50


class Tally:
    """What all threads found, under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = 0
        self.slowest = 0.0
        self.failing_since = None
        self.longest_failure = 0.0
        self.counts = {name: collections.Counter()
                       for name in ("backends", "broken", "errors", "peers", "clients")}

    def success(self, response, peer, wait):
        with self.lock:
            self.counts["backends"][response.getheader("X-Pod", "?")] += 1
            self.counts["clients"][response.getheader("X-Client", "?")] += 1
            self.counts["peers"][peer] += 1
            self.slowest = max(self.slowest, wait)
            self.failing_since = None

    def failure(self, response, error, started):
        with self.lock:
            if response is not None:
                self.counts["broken"][response.getheader("X-Pod", "?")] += 1
            self.counts["errors"][f"{type(error).__name__}: {error}"] += 1
            if self.failing_since is None:
                self.failing_since = started
            span = time.monotonic() - self.failing_since
            self.longest_failure = max(self.longest_failure, span)

    def is_hopeless(self):
        return sum(self.counts["errors"].values()) >= GIVE_UP_FAILURES

    def report(self, requests, seconds):
        return {
            "requests": requests,
            "failures": requests - sum(self.counts["backends"].values()),
            "seconds": round(seconds, 3),
            "slowest_ms": round(self.slowest * 1000),
            "longest_failure_ms": round(self.longest_failure * 1000),
            **{name: dict(sorted(counter.items())) for name, counter in self.counts.items()},
        }


def request(options, tally):
    connection = http.client.HTTPConnection(options.address, options.port, timeout=options.timeout)
    response = None
    started = time.monotonic()
    try:
        connection.connect()
        peer = connection.sock.getpeername()
        connection.request("GET", options.path)
        response = connection.getresponse()
        wait = time.monotonic() - started
        response.read()
        tally.success(response, f"{peer[0]}:{peer[1]}", wait)
    except (OSError, http.client.HTTPException) as error:
        tally.failure(response, error, started)
    finally:
        connection.close()


def worker(options, tally, deadline):
    while True:
        with tally.lock:
            if deadline:
                over = time.monotonic() >= deadline
            else:
                over = tally.requests >= options.requests or tally.is_hopeless()
            if over:
                return
            tally.requests += 1
        request(options, tally)
        if options.pause:
            time.sleep(options.pause)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-n", "--requests", type=int, default=100)
    parser.add_argument("-t", "--seconds", type=float, default=0)
    parser.add_argument("-c", "--concurrency", type=int, default=1)
    parser.add_argument("--path", default="/")
    parser.add_argument("--timeout", type=float, default=5)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    options = parser.parse_args()

    tally = Tally()
    started = time.monotonic()
    deadline = started + options.seconds if options.seconds else 0
    threads = [threading.Thread(target=worker, args=(options, tally, deadline))
               for _ in range(options.concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    requests = tally.requests if options.seconds else options.requests
    print(json.dumps(tally.report(requests, time.monotonic() - started)))


if __name__ == "__main__":
    main()
