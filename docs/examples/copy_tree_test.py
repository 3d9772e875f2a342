#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""copy_tree_test.py PROGRAM: copies a tree, and compares it with diff."""
import os
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
WITHOUT_UMASK = {"preexec_fn": lambda: os.umask(0)}


def copy(*arguments, **options):
    return subprocess.run([PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, **options)


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def modes(top):
    found = {}
    for directory, names, files in os.walk(top):
        for name in names + files + ["."]:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, top)] = os.lstat(path).st_mode
    return found


def make_tree(top):
    for i in range(2000):
        write(f"{top}/many/{i % 7}/{i}", b"%d" % i)
    for size in [0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 5_000_000]:
        write(f"{top}/sizes/{size}", os.urandom(size))
    for mode in [0o400, 0o600, 0o755, 0o666]:
        write(f"{top}/modes/{mode:o}", b"", mode)
    write(top + "/readonly/file", b"in a directory without w")
    os.chmod(top + "/readonly", 0o555)
    os.makedirs(top + "/empty")
    os.symlink("sizes/1", top + "/link")
    os.symlink("nowhere", top + "/dangling")
    os.symlink(".", top + "/loop")


with tempfile.TemporaryDirectory() as directory:
    tree, out = directory + "/tree", directory + "/out"
    make_tree(tree)
    done = copy(tree, out, **WITHOUT_UMASK)
    assert done.returncode == 0 and not done.stderr, done
    subprocess.run(["diff", "-r", "--no-dereference", tree, out], check=True)
    assert modes(tree) == modes(out)

    done = copy(tree, out)
    assert done.returncode == 1 and "File exists" in done.stderr, done
    done = copy(directory + "/nowhere", directory + "/x")
    assert done.returncode == 1 and "No such file" in done.stderr, done
    assert copy(tree + "/sizes/1", directory + "/one").returncode == 0
    subprocess.run(["cmp", tree + "/sizes/1", directory + "/one"], check=True)

    # What cannot be copied is said and counted; the rest is copied.
    os.mkfifo(tree + "/fifo")
    done = copy(tree, directory + "/out2")
    assert done.returncode == 1 and "/fifo: " in done.stderr and "1 errors" in done.stderr, done
    os.unlink(tree + "/fifo")
    subprocess.run(["diff", "-r", "--no-dereference", tree, directory + "/out2"], check=True)

    # Into itself: the copy is not copied again.
    done = copy(tree, tree + "/inside")
    assert done.returncode == 1 and "/inside: " in done.stderr, done
    assert not os.path.exists(tree + "/inside/inside")

    for arguments in [[], ["a"], ["a", "b", "c"]]:
        assert copy(*arguments).returncode == 2
    for top in [tree, out, directory + "/out2", tree + "/inside"]:
        os.chmod(top + "/readonly", 0o755)  # for the cleaning up
