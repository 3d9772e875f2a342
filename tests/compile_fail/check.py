#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program that must not compile, and that must say why.

Usage: check.py FILE COMPILER [ARGS...]

FILE holds its mistake in `#ifdef WEFT_MISTAKE` and, in `// EXPECT: text` comments, what the compiler
must say about it. Without the macro the same file must compile: so it is the mistake that is refused.
"""
import re
import subprocess
import sys


def main() -> int:
    path, command = sys.argv[1], sys.argv[2:] + ["-std=c++20", "-Werror=unused-result", "-fsyntax-only", sys.argv[1]]
    with open(path, encoding="utf-8") as file:
        expected = re.findall(r"^// EXPECT: (.+)$", file.read(), re.MULTILINE)
    if not expected:
        print(f"{path}: no EXPECT line")
        return 1

    good = subprocess.run(command, capture_output=True, text=True, check=False)
    if good.returncode != 0:
        print(f"{path}: must compile without its mistake:\n{good.stderr}")
        return 1

    bad = subprocess.run(command + ["-DWEFT_MISTAKE"], capture_output=True, text=True, check=False)
    if bad.returncode == 0:
        print(f"{path}: the mistake compiles")
        return 1
    missing = [text for text in expected if text not in bad.stderr]
    for text in missing:
        print(f"{path}: the compiler does not say '{text}'")
    if missing:
        print(bad.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
