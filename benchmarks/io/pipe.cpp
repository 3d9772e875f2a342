// SPDX-License-Identifier: MIT OR Apache-2.0
// One byte there and back, over two pipes: what a wake-up costs.
#include "converse.hpp"

int main(int argc, char** argv) {
  return bench::io::run(
      {.name = "weft (" + std::string(weft::io::backend()) + ")", .talk = bench::io::converse_all},
      "io_pipe", argc, argv);
}
