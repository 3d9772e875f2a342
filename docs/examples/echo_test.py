#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""echo_test.py PROGRAM: talks to the echo server."""
import os
import socket
import subprocess
import sys
import threading

from server import Server

PROGRAM = sys.argv[1]


def receive_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def exchange(port, data):
    """Sends and receives at the same time: what is echoed fits into no buffer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        def send():
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        echoed = receive_all(connection)
        sender.join()
    assert echoed == data, f"{len(echoed)} bytes, not what the {len(data)} were"


with Server(PROGRAM, "0") as server:
    exchange(server.port, b"")
    exchange(server.port, b"hello")
    exchange(server.port, os.urandom(8 * 1024 * 1024))

    # All open at the same time, and served in whichever order.
    many = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    for i, connection in enumerate(many):
        connection.sendall(b"number %03d" % i)
    for i, connection in reversed(list(enumerate(many))):
        assert connection.recv(10, socket.MSG_WAITALL) == b"number %03d" % i
    # One that breaks off does not disturb the others: SO_LINGER with no time makes it a reset.
    many[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    many.pop(0).close()
    many[0].sendall(b"still here")
    assert many[0].recv(10, socket.MSG_WAITALL) == b"still here"

    second = subprocess.run([PROGRAM, str(server.port)], stderr=subprocess.PIPE, text=True)
    assert second.returncode == 1 and "in use" in second.stderr, second

    server.interrupt()  # with 99 clients that wait for something
    for connection in many:
        assert connection.recv(1) == b""
    server.wait()

for arguments in [[], [""], ["x"], ["65536"], ["1", "2"]]:
    assert subprocess.run([PROGRAM, *arguments], stderr=subprocess.DEVNULL).returncode == 2
