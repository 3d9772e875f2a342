#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""proxy_test.py PROGRAM: puts the proxy between a client and a server."""
import os
import socket
import subprocess
import sys
import threading

from server import Server

PROGRAM = sys.argv[1]
LOCAL = "127.0.0.1"


def receive_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


listener = socket.create_server((LOCAL, 0))
target_port = str(listener.getsockname()[1])
with Server(PROGRAM, "0", LOCAL, target_port) as proxy:
    def connect():
        client = socket.create_connection((LOCAL, proxy.port))
        return client, listener.accept()[0]

    # Both directions at the same time, with more than fits into buffers; each ends by itself.
    client, server = connect()
    there, back = os.urandom(12_000_000), os.urandom(10_000_000)
    received = {}

    def talk(name, own, data):
        sender = threading.Thread(target=lambda: (own.sendall(data), own.shutdown(socket.SHUT_WR)))
        sender.start()
        received[name] = receive_all(own)
        sender.join()

    talkers = [threading.Thread(target=talk, args=each)
               for each in [("client", client, there), ("server", server, back)]]
    for talker in talkers: talker.start()
    for talker in talkers: talker.join()
    assert received["client"] == back and received["server"] == there

    # A half that is closed leaves the other half open.
    client, server = connect()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert receive_all(server) == b"question"
    server.sendall(b"answer")
    server.close()
    assert receive_all(client) == b"answer"

    # Nobody receives: in the end the sender cannot send, for nothing piles up in the proxy.
    client, server = connect()
    client.setblocking(False)
    sent = 0
    while sent < 256 * 1024 * 1024:
        try:
            sent += client.send(bytes(1024 * 1024))
        except BlockingIOError:
            break  # the kernel's buffers are full, or the proxy is just about to empty one
    assert sent < 256 * 1024 * 1024
    client.setblocking(True)
    client.shutdown(socket.SHUT_WR)
    assert len(receive_all(server)) == sent

    # One side breaks off: so does the other.
    client, server = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    assert receive_all(server) == b""

    client, server = connect()
    proxy.interrupt()  # with a connection open
    assert receive_all(client) == b"" and receive_all(server) == b""
    proxy.wait()

listener.close()
for arguments in [[], ["1", "h"], ["x", "h", "1"], ["1", "h", "x"]]:
    assert subprocess.run([PROGRAM, *arguments], stderr=subprocess.DEVNULL).returncode == 2
