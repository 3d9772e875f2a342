// SPDX-License-Identifier: MIT OR Apache-2.0
// Echo of 64 bytes over TCP.
#include "converse.hpp"

int main(int argc, char** argv) {
  return bench::io::run(
      {.name = "weft (" + std::string(weft::io::backend()) + ")", .talk = bench::io::converse_all},
      "io_echo", argc, argv);
}
