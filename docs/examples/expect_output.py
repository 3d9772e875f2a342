#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""expect_output.py EXPECTED PROGRAM [ARG...]: runs a program, compares what it prints."""
import subprocess
import sys

expected, *command = sys.argv[1:]
expected = expected.replace("|", "\n") + "\n"  # build files cannot hold newlines comfortably
run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
if run.returncode == 77:
    sys.exit(77)  # not to be had here: skipped
run.check_returncode()
printed = run.stdout
if printed != expected:
    sys.exit(f"expected {expected!r}\n but got {printed!r}")
