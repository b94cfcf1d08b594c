#!/usr/bin/env python3
"""Drives a lab through its control API: pings across a link, makes it slower, pings again.

    vmctl up -d examples/pair.toml
    python3 examples/drive.py pair

Needs nothing but Python. Every request that it could make is in docs/api.md.
"""

import http.client
import json
import os
import re
import socket
import sys


class Lab(http.client.HTTPConnection):
    """A connection to the daemon of a lab that is up."""

    def __init__(self, name):
        super().__init__("lab")
        run = "/run" if os.getuid() == 0 else os.environ["XDG_RUNTIME_DIR"]
        self.path = f"{run}/chronotap/{name}/control.sock"

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def call(self, method, path, body=None):
        """Makes a request. A refusal is raised with what the daemon says would help."""
        self.request(method, "/v1" + path, None if body is None else json.dumps(body))
        answer = self.getresponse()
        result = json.load(answer)
        if answer.status >= 400:
            raise SystemExit(f"{result['message']}; {result.get('remedy', '')}")
        return result

    def run(self, guest, *argv):
        """Runs a command in a guest and returns what it printed."""
        ran = self.call("POST", f"/guests/{guest}/exec", {"argv": argv})
        if ran["outcome"] != {"exited": 0}:
            raise SystemExit(f"{argv} in {guest}: {ran['outcome']}\n{ran['stderr']}")
        return ran["stdout"]


def least_round_trip_ms(lab, guest, other):
    said = lab.run(guest, "ping", "-q", "-c", "5", "-i", "0.2", other)
    return float(re.search(r"= ([0-9.]+)/", said)[1])


def main(name):
    lab = Lab(name)
    link = lab.call("GET", "/links")[0]
    guests = [link[way]["from"].split(":")[0] for way in ("forward", "backward")]
    configured = link["forward"]["delay_ns"]

    before = least_round_trip_ms(lab, *guests)
    lab.call("PATCH", f"/links/{link['name']}", {"set": {"delay": "50ms"}})
    after = least_round_trip_ms(lab, *guests)
    lab.call("PATCH", f"/links/{link['name']}", {"set": {"delay": f"{configured}ns"}})

    print(f"{link['name']}: {before} ms, with 50 ms each way {after} ms")
    clock = lab.call("GET", "/clock")
    print(f"virtual time: {clock['virtual_ns'] / 1e9:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pair")
