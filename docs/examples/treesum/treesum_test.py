#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""treesum_test.py TREESUM [ring]: compares treesum with find | sort | sha256sum on a tree full of traps.

ring: it was built with liburing."""
import ctypes
import fcntl
import os
import pty
import resource
import subprocess
import sys
import tempfile
import termios
import time

TREESUM = os.path.abspath(sys.argv[1])
LEVELS = 120


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def make_tree(root):
    sizes = [0, 1, 55, 56, 63, 64, 65, 4095, 4096, 4097]
    sizes += [128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1024 * 1024 + 1]
    for size in sizes:
        write(root + b"/sizes/%d" % size, bytes(i * 7 % 251 for i in range(251)) * (size // 251 + 1))
        os.truncate(root + b"/sizes/%d" % size, size)
    block = os.urandom(1024 * 1024)
    write(root + b"/large", block * 50)
    for name in [b" ", b"a b", b" lead", b"-n", b"*", b"'\"$(x)", b"back\\slash", b"\\", b"new\nline",
                 b"car\rriage", b"mix\\n\n\r\\", b"tab\t", b"\xc3\xa9\xe2\x82\xac", b"\xff\xfe", b"a" * 255]:
        write(root + b"/names/" + name, b"content of " + name)
        write(root + b"/directories/d" + name[:200] + b"/file", name)
    # '.' and ' ' sort before '/', '0' after it: the order is that of whole paths.
    for name in [b"a/x", b"a.c", b"a b", b"a0", b"a/b/c", b"a/b.c", b"a-/z", b"ab"]:
        write(root + b"/order/" + name, name)
    for i in range(3000):
        write(root + b"/many/%d/%d" % (i % 10, i), b"%d" % i)
    write(root + b"/deep" + b"/d" * LEVELS + b"/bottom", b"bottom")
    os.makedirs(root + b"/empty/also")
    os.symlink(b".", root + b"/loop")
    os.symlink(b"../large", root + b"/names/link")
    os.symlink(b"nowhere", root + b"/dangling")
    os.mkfifo(root + b"/fifo")


def reference(path):
    return subprocess.run(
        ["sh", "-c", 'find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --', "sh", path],
        stdout=subprocess.PIPE, check=True).stdout


def treesum(*arguments, **options):
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([TREESUM, *arguments], stderr=subprocess.PIPE, **options)


def demote():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def test_same_as_sha256sum(root):
    want = reference(root)
    assert want.count(b"\n") > 3000
    for threads in ["1", "2", "8"]:
        got = treesum("--threads", threads, root)
        assert got.returncode == 0, got.stderr
        assert got.stdout == want, f"differs with {threads} threads"
    assert treesum(root + b"/").stdout == want, "a trailing slash changes the output"
    assert b" files, " in got.stderr and b"speed-up" in got.stderr and b"steals" in got.stderr
    check = subprocess.run(["sha256sum", "-c", "--quiet", "-"], input=want)
    assert check.returncode == 0
    relative = treesum(".", cwd=root)
    assert relative.stdout == subprocess.run(
        "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum",
        shell=True, cwd=root, stdout=subprocess.PIPE, check=True).stdout


def forget(root):
    """Has the disk bring all of it anew, where the file system is on one."""
    for top, _, names in os.walk(root):
        for name in names:
            path = os.path.join(top, name)
            if os.path.isfile(path) and not os.path.islink(path):
                fd = os.open(path, os.O_RDONLY)
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)


def test_from_the_disk(root):
    want = reference(root)
    for threads in ["1", "2", "8"]:
        forget(root)
        got = treesum("--threads", threads, root)
        assert got.returncode == 0 and got.stdout == want, f"differs with {threads} threads"


def ring_to_be_had():
    if sys.argv[2:] != ["ring"] or os.environ.get("WEFT_IO") == "epoll":
        return False
    io_uring_setup = 425
    ring = ctypes.CDLL(None).syscall(io_uring_setup, 4, ctypes.create_string_buffer(128))
    if ring >= 0:
        os.close(ring)
    return ring >= 0


def open_descriptors(pid):
    for fd in os.scandir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(fd.path)
        except FileNotFoundError:  # closed meanwhile
            pass


def is_in_memory(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
    except OSError:  # not to be asked there
        return True
    finally:
        os.close(fd)


def test_reads_through_a_ring(root):
    forget(root)
    on_disk = not is_in_memory(root + b"/large")
    process = subprocess.Popen([TREESUM, "-t", "2", root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # Some files have been read, and it cannot end before somebody reads what it prints, which is more than fits.
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    printed = bytearray(4)
    while not any(printed):
        fcntl.ioctl(process.stdout, termios.FIONREAD, printed)
        time.sleep(0.001)
    rings = [fd for fd in open_descriptors(process.pid) if fd == "anon_inode:[io_uring]"]
    process.stdout.read()
    assert process.wait() == 0
    assert bool(rings) == (on_disk and ring_to_be_had()), (rings, on_disk)
    return on_disk and ring_to_be_had()


def test_few_descriptors(root):
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    got = treesum("-t", "2", root, preexec_fn=limit)
    assert got.returncode == 0 and got.stdout == reference(root), got.stderr


def test_path_longer_than_path_max(root):
    here = os.getcwd()
    top = root + b"/verydeep"
    os.mkdir(top)
    os.chdir(top)
    for _ in range(60):
        os.mkdir("n" * 100)
        os.chdir("n" * 100)
    with open("bottom", "wb") as file:
        file.write(b"bottom")
    os.chdir(here)
    got = treesum(top)
    assert got.returncode == 0, got.stderr
    digest = subprocess.run("printf bottom | sha256sum | cut -c 1-64", shell=True,
                            stdout=subprocess.PIPE).stdout.strip()
    assert got.stdout == digest + b"  " + top + (b"/" + b"n" * 100) * 60 + b"/bottom\n"


def test_unreadable(root):
    top = root + b"/unreadable"
    for name in [b"a", b"b", b"shut/c", b"d\ne"]:
        write(top + b"/" + name, name)
    want = reference(top).splitlines(keepends=True)
    for name in [b"/b", b"/shut", b"/d\ne"]:
        os.chmod(top + name, 0)
    os.chmod(root, 0o755)
    got = treesum(top, preexec_fn=demote if os.getuid() == 0 else None)
    assert got.returncode == 1, got
    assert got.stdout == want[0], got.stdout
    for complaint in [b"/b: Permission denied\n", b"/shut/: Permission denied\n",
                      b"/d\\ne: Permission denied\n", b" 3 unreadable\n"]:
        assert complaint in got.stderr, got.stderr
    os.chmod(top + b"/shut", 0o755)  # for the cleaning up


def test_exit_status(root):
    for arguments in [[], ["a", "b"], [""], ["--nonsense", "."], ["--threads", "0", "."],
                      ["--threads", "2x", "."], ["--threads", "99999999999", "."], ["--threads"]]:
        got = treesum(*arguments)
        assert got.returncode == 2 and b"Usage: treesum" in got.stderr and not got.stdout, got
    got = treesum("--help")
    assert got.returncode == 0 and got.stdout.startswith(b"Usage: treesum") and not got.stderr
    for path, why in [(root + b"/nowhere", b"No such file"), (root + b"/large", b"Not a directory")]:
        got = treesum(path)
        assert got.returncode == 1 and why in got.stderr and not got.stdout, got
    assert treesum(root + b"/empty").stdout == b""


def test_full_disk(root):
    for path in [root, root + b"/order"]:  # noticed in the middle, and at the last flush
        with open("/dev/full", "wb") as full:
            got = treesum(path, stdout=full)
        assert got.returncode == 1 and b"write error: No space left on device" in got.stderr, got


def test_progress_on_a_terminal(root):
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        os.execv(TREESUM, [TREESUM, root])
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not piece:
            break
        seen += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"\x1b[K" in seen and b"speed-up" in seen, seen  # at least cleared before the summary
    assert b"\x1b[K" not in treesum(root).stderr


with tempfile.TemporaryDirectory() as directory:
    tree = os.fsencode(os.path.join(directory, "tree"))
    make_tree(tree)
    os.chmod(directory, 0o755)
    for test in [test_same_as_sha256sum, test_from_the_disk, test_reads_through_a_ring, test_few_descriptors, test_exit_status, test_full_disk,
                 test_progress_on_a_terminal, test_unreadable, test_path_longer_than_path_max]:
        print("ok", test.__name__, test(tree) or "", flush=True)
