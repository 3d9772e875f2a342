#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""consumers.py SOURCE_ROOT static|shared io_uring=enabled|disabled -- COMPILER...

Installs weft into a fresh prefix and builds the consumer against it through
pkg-config and CMake (also after the tree was moved), and with weft as a Meson
subproject; runs each, and checks that none of our flags reach it, and liburing
just where it was asked for.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

# What a user may have switched on; our headers must not warn under it.
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


def run(*command, env=None, cwd=None) -> str:
    command = [str(part) for part in command]
    print("+", shlex.join(command), flush=True)
    done = subprocess.run(command, env=env, cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nexit status {done.returncode}")
    return done.stdout


def check(condition: bool, message: str) -> None:
    if not condition:
        sys.exit("error: " + message)


def check_flags(flags: list[str], source: str) -> None:
    """Only where to look and how to link may reach a consumer."""
    leaked = [flag for flag in flags if flag.startswith(("-W", "-D", "-O", "-std", "-f"))]
    check(not leaked, f"{source} passes on {leaked}")


def check_program(program: pathlib.Path, linkage: str, uring: bool, env: dict) -> None:
    printed = run(program, env=env)
    check("fib(20) = 6765" in printed, f"{program} printed something else")
    # With it, the kernel may still refuse a ring.
    check("I/O on epoll" in printed or (uring and "I/O on io_uring" in printed),
          f"{program} printed something else")
    needed = run("readelf", "-d", program)
    check(("libweft.so" in needed) == (linkage == "shared"), f"{program} is not linked {linkage}")
    # Through libweft.so nobody needs to know; through libweft.a everybody links it.
    check(("liburing" in needed) == (uring and linkage == "static"),
          f"{program} is linked to liburing, or should be")


def through_pkg_config(work, libdir, consumer, linkage, uring, compiler, env) -> None:
    run_env = env | {"PKG_CONFIG_PATH": str(libdir / "pkgconfig"), "LD_LIBRARY_PATH": str(libdir)}
    cflags = shlex.split(run("pkg-config", "--cflags", "weft", env=run_env))
    check_flags([flag for flag in cflags if flag != "-pthread"], "weft.pc")
    static = ["--static"] if linkage == "static" else []
    libs = shlex.split(run("pkg-config", *static, "--libs", "weft", env=run_env))
    program = work / "by-pkg-config"
    run(*compiler, "-std=c++20", *STRICT, *cflags, consumer / "main.cpp", "-o", program, *libs)
    check_program(program, linkage, uring, run_env)


def through_cmake(work, name, prefix, consumer, linkage, uring, env) -> None:
    build = work / name
    run("cmake", "-S", consumer, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF", env=env)
    run("cmake", "--build", build, env=env)
    commands = json.loads((build / "compile_commands.json").read_text())
    flags = [flag for entry in commands for flag in shlex.split(entry["command"])]
    # The feature cxx_std_20 is asked for on purpose: it is CMake that adds -std.
    check_flags([flag for flag in flags if not flag.startswith("-std=")], "weftConfig.cmake")
    check_program(build / "consumer", linkage, uring, env)


def as_subproject(work, source_root, consumer, linkage, uring, env) -> None:
    tree = work / "subproject-consumer"
    shutil.copytree(consumer, tree)
    (tree / "subprojects").mkdir()
    (tree / "subprojects" / "weft").symlink_to(source_root, target_is_directory=True)
    build = work / "by-subproject"
    run("meson", "setup", build, tree, f"-Ddefault_library={linkage}",
        f"-Dweft:io_uring={'enabled' if uring else 'disabled'}", "--force-fallback-for=weft", env=env)
    targets = json.loads((build / "meson-info" / "intro-targets.json").read_text())
    names = {target["name"] for target in targets}
    check(names == {"consumer", "weft"}, f"a subproject builds {names}, more than the library")
    for target in targets:
        if target["name"] == "consumer":
            flags = target["target_sources"][0]["parameters"]
            # What Meson itself gives every target of such a project.
            own = {"-std=c++20", "-fdiagnostics-color=always", "-fcolor-diagnostics", "-O0",
                   "-Wall", "-Winvalid-pch", "-D_FILE_OFFSET_BITS=64", "-D_GLIBCXX_ASSERTIONS=1"}
            check_flags([flag for flag in flags if flag not in own], "weft_dep")
    run("ninja", "-C", build, "-j2", env=env)
    check_program(build / "consumer", linkage, uring, env)


def check_exports(libdir) -> None:
    names = run("nm", "-DC", "--defined-only", libdir / "libweft.so").splitlines()
    # Weak symbols are the standard library's templates, which stay public.
    strange = [line for line in names
               if not any(weak in line for weak in (" W ", " V ", " u ")) and "weft::" not in line]
    check(not strange, "exported without belonging to weft:\n" + "\n".join(strange))
    check(any("weft::" in line for line in names), "libweft.so exports nothing")


def main() -> None:
    split = sys.argv.index("--")
    source_root, linkage, io_uring = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    uring = io_uring == "io_uring=enabled"
    compiler = sys.argv[split + 1:]
    # A sanitizer or flag of the surrounding build must not seep into this one.
    env = {key: value for key, value in os.environ.items()
           if key not in ("CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MESON_TESTTHREADS", "DESTDIR")}
    env["CXX"] = shlex.join(compiler)
    consumer = source_root / "tests" / "packaging" / "consumer"

    with tempfile.TemporaryDirectory(prefix="weft-consumers-") as name:
        work = pathlib.Path(name)
        prefix, build = work / "prefix", work / "weft"
        run("meson", "setup", build, source_root, "--prefix", prefix, "--libdir", "lib",
            f"-Ddefault_library={linkage}", f"-D{io_uring}", "-Dtests=disabled",
            "-Dexamples=disabled", "-Dbenchmarks=disabled", env=env)
        run("ninja", "-C", build, "-j2", env=env)
        run("meson", "install", "-C", build, env=env)
        libdir = prefix / "lib"
        for header in (source_root / "include").rglob("*.hpp"):
            installed = prefix / "include" / header.relative_to(source_root / "include")
            check(installed.is_file(), f"{header} is not installed")

        through_pkg_config(work, libdir, consumer, linkage, uring, compiler, env)
        through_cmake(work, "by-cmake", prefix, consumer, linkage, uring, env)
        as_subproject(work, source_root, consumer, linkage, uring, env)
        if linkage == "shared":
            check_exports(libdir)
        moved = work / "moved"
        prefix.rename(moved)
        through_cmake(work, "by-cmake-moved", moved, consumer, linkage, uring, env)


if __name__ == "__main__":
    main()
