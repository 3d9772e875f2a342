// SPDX-License-Identifier: MIT OR Apache-2.0
// HTTP over TCP: 20 connections, one client thread, one server thread; as io_socket_st of
// runtime-benchmarks.
#include "converse.hpp"

int main(int argc, char** argv) {
  return bench::io::run(
      {.name = "weft (" + std::string(weft::io::backend()) + ")", .talk = bench::io::converse_all},
      "io_socket_st", argc, argv);
}
