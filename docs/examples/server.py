# SPDX-License-Identifier: MIT OR Apache-2.0
"""For the tests of servers: starts one, finds its port, ends it."""
import re
import signal
import subprocess


class Server:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on port (\d+)\n", line)
        assert found, f"{command} says {line!r}"
        self.port = int(found[1])

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def wait(self):
        status = self.process.wait()
        assert status == 0, f"exit status {status}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.process.stdout.close()
        self.process.wait()
