#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""snippets.py SOURCE_ROOT -- COMPILER...

Compiles the C++ in README.md and docs/**/*.md. The rule, by the block's opening:

    ```cpp             stands at namespace scope: functions, or a whole program
    ```cpp fragment    statements: the body of a coroutine `Task<> snippet()` in
                       which a `Threadpool pool` exists
    ```cpp ignore      not compiled (pseudo-code, excerpts, what must not compile)

The headers of PRELUDE are there in each; so is a declaration of `fib`.
"""
import pathlib
import re
import subprocess
import sys

PRELUDE = """#include <weft/weft.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
weft::Task<std::uint64_t> fib(int n);
"""
BLOCK = re.compile(r"^```cpp[ \t]*(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def program_for(kind: str, body: str, line: int, path: pathlib.Path) -> str:
    body = f'#line {line} "{path}"\n{body}'
    if kind == "fragment":
        return (f"{PRELUDE}extern weft::Threadpool pool;\n"
                f"weft::Task<> snippet() {{\n{body}\n  co_return;\n}}\n")
    return PRELUDE + body


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    compiler = sys.argv[sys.argv.index("--") + 1:]
    # With #line the snippet is another file than the main one to GCC 12, and a frame that holds a
    # lambda then looks shared to it.
    quiet = [] if "clang" in " ".join(compiler) else ["-Wno-subobject-linkage"]
    count = bad = 0
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text() if page.exists() else ""
        for match in BLOCK.finditer(text):
            kind, body = match.group(1), match.group(2)
            line = text.count("\n", 0, match.start()) + 2
            where = f"{page.relative_to(root)}:{line}"
            if kind == "ignore":
                continue
            if kind not in ("", "fragment"):
                print(f"{where}: unknown kind '{kind}'")
                bad += 1
                continue
            count += 1
            done = subprocess.run(
                [*compiler, f"-I{root / 'include'}", "-std=c++20", "-fsyntax-only", "-Wall",
                 "-Wextra", "-Werror", "-Wno-unused-variable", "-Wno-unused-but-set-variable",
                 *quiet, "-x", "c++", "-"],
                input=program_for(kind, body, line, page.relative_to(root)), text=True,
                capture_output=True)
            if done.returncode != 0:
                print(f"{where}: does not compile\n{done.stderr}")
                bad += 1
    print(f"{count} snippets, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
