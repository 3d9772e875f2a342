#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""headers.py SOURCE_ROOT -- COMPILER...

Each header compiles alone, and twice in a row, without a warning.
"""
import pathlib
import subprocess
import sys

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
         "-Werror", "-x", "c++", "-"]


def main() -> int:
    include = pathlib.Path(sys.argv[1]) / "include"
    compiler = sys.argv[sys.argv.index("--") + 1:]
    headers = sorted(header.relative_to(include) for header in include.rglob("*.hpp"))
    bad = 0 if headers else 1
    for header in headers:
        text = f"#include <{header}>\n#include <{header}>\n"
        done = subprocess.run([*compiler, f"-I{include}", *FLAGS], input=text, text=True,
                              capture_output=True)
        print("ok  " if done.returncode == 0 else "BAD ", header)
        if done.returncode != 0:
            print(done.stderr)
            bad += 1
    print(f"{len(headers)} headers, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
