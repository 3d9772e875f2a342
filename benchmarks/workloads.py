# SPDX-License-Identifier: MIT OR Apache-2.0
"""What benchmarks/run measures, and how large."""

# row: (arguments of the measurement, arguments of the smoke test, by peers too?)
# What stands before a dash is the program.
WORKLOADS = {
    "fib": (["--size", "39"], ["--size", "24"], True),
    "skynet": (["--size", "8"], ["--size", "5"], True),
    "nqueens": (["--size", "14"], ["--size", "9"], True),
    "matmul": (["--size", "2048"], ["--size", "256"], True),
    "dfs": (["--size", "8"], ["--size", "5"], True),
    "heat": (["--size", "2048"], ["--size", "300", "--steps", "10"], True),
    "black_scholes": (["--size", "10000000"], ["--size", "100000"], True),
    "spc": (["--size", "300000"], ["--size", "5000"], True),
    "spc-16": (["--size", "16", "--grain", "10000"], ["--size", "16", "--grain", "100"], True),
    "bpc": (["--size", "10000"], ["--size", "300"], True),
    "bpc-999": (["--size", "200", "--breadth", "999"], ["--size", "5", "--breadth", "999"], True),
    "trickle": (["--size", "10000"], ["--size", "300"], False),
    "latency": (["--size", "5000"], ["--size", "100"], False),
    "idle": (["--size", "10"], ["--size", "1", "--wait", "1"], False),
}
UNREPEATED = {"trickle", "latency", "idle"}
FEW_TASKS = {"spc-16", "black_scholes"}  # what std::async can do
# Name: (program and arguments of the measurement, others for the smoke test). One thread per end.
IO = {
    "io_socket_st": (["io_socket_st", "--size", "100000"], ["--size", "400"]),
    "io_echo_1": (["io_echo", "--connections", "1", "--size", "20000"], ["--size", "100"]),
    "io_echo_20": (["io_echo", "--connections", "20", "--size", "100000"], ["--size", "400"]),
    "io_echo_100": (["io_echo", "--connections", "100", "--size", "100000"], ["--size", "2000"]),
    "io_echo_1000": (["io_echo", "--connections", "1000", "--size", "100000"], ["--size", "2000"]),
    # The server computes, too, in tasks of 1 ms; without and with an I/O thread.
    "io_busy": (["io_busy", "--size", "5000"], ["--size", "200"]),
    "io_busy_thread": (["io_busy", "--io_thread", "1", "--size", "5000"], ["--size", "200"]),
    "io_pipe": (["io_pipe", "--size", "20000"], ["--size", "100"]),
    **{f"io_file_{depth}": (["io_file", "--depth", str(depth), "--size", "100000"],
                            ["--size", "100", "--blocks", "64"]) for depth in (1, 8, 32)},
    "io_timers": (["io_timers", "--size", "10000"], ["--size", "1000"]),
}
BY_HAND = {"uring": "io_uring by hand", "epoll": "epoll by hand"}
PEERS = {"onetbb": "oneTBB", "openmp": "OpenMP", "async": "std::async"}
