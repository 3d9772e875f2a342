#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""mandelbrot_test.py PROGRAM: decodes the picture and compares it with one computed here."""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

WIDTH, HEIGHT = 96, 72


def chunks(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n", "no PNG signature"
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4:at + 8], png[at + 8:at + 8 + length]
        (crc,) = struct.unpack_from(">I", png, at + 8 + length)
        assert crc == zlib.crc32(kind + data), f"wrong CRC in {kind}"
        yield kind, data
        at += 12 + length


def steps(cx, cy):
    x = y = 0.0
    for count in range(255):
        if x * x + y * y > 4:
            return count
        x, y = x * x - y * y + cx, 2 * x * y + cy
    return 255


program = sys.argv[1]
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "picture.png")
    subprocess.run([program, path, str(WIDTH), str(HEIGHT)], check=True)
    with open(path, "rb") as file:
        parts = list(chunks(file.read()))

header = parts[0][1]
assert struct.unpack(">IIBBBBB", header) == (WIDTH, HEIGHT, 8, 3, 0, 0, 0), header
rows = zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))
assert len(rows) == HEIGHT * (WIDTH + 1)
different = 0
for y in range(HEIGHT):
    row = rows[y * (WIDTH + 1):(y + 1) * (WIDTH + 1)]
    assert row[0] == 0, "libpng does not filter palette images by default"
    for x in range(WIDTH):
        want = steps(-2.2 + 3.2 / WIDTH * x, -1.2 + 2.4 * y / HEIGHT)
        different += row[1 + x] != want
# A compiler that fuses multiply and add may decide a few points on the border otherwise.
assert different <= WIDTH * HEIGHT // 100, f"{different} pixels differ"

assert subprocess.run([program], stderr=subprocess.DEVNULL).returncode == 2
unwritable = os.path.join(directory, "gone", "picture.png")
assert subprocess.run([program, unwritable, "8", "8"], stderr=subprocess.DEVNULL).returncode == 1
assert subprocess.run([program, "/dev/full", "512", "512"],
                      stderr=subprocess.DEVNULL).returncode == 1
