#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""http_test.py HTTPD: serves a directory, and asks for this and that in it."""
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from server import Server

HTTPD = sys.argv[1]
LARGE = os.urandom(1024 * 1024) * 20 + b"the end"


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def make_site(top):
    write(top + "/secret", b"not for you")
    root = top + "/root"
    write(root + "/index.html", b"<p>hello</p>")
    write(root + "/a b%.txt", b"strange name")
    write(root + "/sub/file", b"in sub")
    write(root + "/large.bin", LARGE)
    write(root + "/empty.txt", b"")
    os.symlink("../secret", root + "/out")
    os.symlink("sub/file", root + "/in")
    os.mkfifo(root + "/fifo")
    return root


def ask(connection, path, method="GET", headers={}):
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_requests(server):
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    response, body = ask(client, "/")
    assert (response.status, body) == (200, b"<p>hello</p>")
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    modified = response.getheader("Last-Modified")
    own = client.sock
    assert ask(client, "/", headers={"If-Modified-Since": modified})[0].status == 304
    assert ask(client, "/", headers={"If-Modified-Since": "yesterday"})[0].status == 200
    response, body = ask(client, "/large.bin", "HEAD")
    assert body == b"" and response.getheader("Content-Length") == str(len(LARGE))
    for path, status, content in [
            ("/a%20b%25.txt", 200, b"strange name"), ("/in", 200, b"in sub"),
            ("/empty.txt", 200, b""), ("/sub/../sub/file?x", 200, b"in sub"), ("/sub", 301, None),
            ("/sub/", 404, None), ("/none", 404, None), ("/sub/file/x", 404, None),
            ("/out", 403, None), ("/../secret", 403, None), ("/%2e%2e/secret", 403, None),
            ("/sub/%2e%2e%2f..%2fsecret", 403, None), ("//etc/passwd", 404, None),
            ("/fifo", 403, None), ("/%", 400, None), ("/%zz", 400, None), ("/a%00", 400, None),
            ("/fib?n=20", 200, b"6765\n"), ("/fib?n=x", 400, None), ("/fib?n=99", 400, None),
            ("/large.bin", 200, LARGE)]:
        response, body = ask(client, path)
        assert response.status == status, (path, response.status)
        assert content is None or body == content, path
    assert client.sock is own, "one connection was enough for all of it"


def exchange(server, text):
    """All that the server sends until it closes."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_refusals(server):
    for text, status in [
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 405),
            (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501), (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), (b"GET nonsense\r\n\r\n", 400),
            (b"GET /" + 20000 * b"a" + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + 20000 * b"a" + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + 70000 * b"a", 413)]:
        got = exchange(server, text)
        assert got.startswith(b"HTTP/1.1 %d " % status), (text[:50], got)


def test_pipelining(server):
    request = b"GET /sub/file HTTP/1.1\r\nHost: a\r\n%s\r\n"
    got = exchange(server, 20 * (request % b"") + request % b"Connection: close\r\n" + request % b"")
    assert got.count(b"HTTP/1.1 200 OK") == 21 and got.count(b"in sub") == 21, got


def test_parallel(server):
    wrong = []

    def fetch():
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        if ask(client, "/large.bin")[1] != LARGE or ask(client, "/in")[1] != b"in sub":
            wrong.append(1)

    threads = [threading.Thread(target=fetch) for _ in range(50)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not wrong


def test_others_are_served_while_one_computes(server):
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request("GET", "/fib?n=36")
    other = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(20):
        assert ask(other, "/in")[1] == b"in sub"
    assert client.getresponse().read() == b"14930352\n"


def test_curl(server):
    curl = shutil.which("curl")
    if curl is None:
        return
    url = f"http://127.0.0.1:{server.port}"
    got = subprocess.run([curl, "-s", "-S", "--path-as-is", url + "/large.bin", url + "/../secret"],
                         stdout=subprocess.PIPE, check=True).stdout
    assert got == LARGE + b"403 Forbidden\n"


def test_wrk(server):
    wrk = shutil.which("wrk")
    if wrk is None:
        return
    said = subprocess.run([wrk, "-t1", "-c50", "-d1s", "--timeout", "60s",
                           f"http://127.0.0.1:{server.port}/in"],
                          stdout=subprocess.PIPE, check=True, text=True).stdout
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    assert int(re.search(r"(\d+) requests in", said)[1]) > 0, said


def test_interrupt_during_a_download(root):
    with Server(HTTPD, "-t", "600", root, "0") as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        idle.sendall(b"GET /in HTTP/1.1\r\nHost: a\r\n\r\n")
        while not idle.recv(65536).endswith(b"in sub"):
            pass
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        client.request("GET", "/large.bin")
        response = client.getresponse()
        body = response.read(1000)
        server.interrupt()
        assert idle.recv(1) == b""  # closed, while the download goes on
        assert body + response.read() == LARGE
        client.close()
        server.wait()


def test_slow_clients_are_dropped(root):
    with Server(HTTPD, "-t", "1", root, "0") as server:
        assert exchange(server, b"") == b""
        assert exchange(server, b"GET / HT").startswith(b"HTTP/1.1 408 ")
        server.interrupt()
        server.wait()


with tempfile.TemporaryDirectory() as directory:
    site = make_site(directory)
    with Server(HTTPD, "-t", "600", site, "0") as server:
        for test in [test_requests, test_refusals, test_pipelining, test_parallel,
                     test_others_are_served_while_one_computes, test_curl, test_wrk]:
            test(server)
            print("ok", test.__name__, flush=True)
        server.interrupt()
        server.wait()
    for test in [test_interrupt_during_a_download, test_slow_clients_are_dropped]:
        test(site)
        print("ok", test.__name__, flush=True)
for arguments in [[], ["."], [".", "x"], ["-t", "0", ".", "0"], ["-x", ".", "0"]]:
    assert subprocess.run([HTTPD, *arguments], stderr=subprocess.DEVNULL).returncode == 2
assert subprocess.run([HTTPD, "/nowhere", "0"], stderr=subprocess.DEVNULL).returncode == 1
