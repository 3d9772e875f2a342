// SPDX-License-Identifier: MIT OR Apache-2.0
//
// mandelbrot FILE.png [WIDTH HEIGHT]: draws the Mandelbrot set, a task per row.
//
// Rows differ in cost by orders of magnitude (those through the set's middle are the slow ones):
// work stealing balances them without anyone having to know.
#include <weft/weft.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <span>
#include <vector>

#include <png.h>

namespace {

constexpr int kMaxSteps = 255;  // also the highest index of the palette; it means "inside"

struct Picture {
  std::size_t width;
  std::size_t height;
  std::vector<unsigned char> pixels = std::vector<unsigned char>(width * height);

  std::span<unsigned char> row(std::size_t y) {
    return std::span(pixels).subspan(y * width, width);
  }
};

/// How many steps z = z^2 + c takes to leave the circle of radius 2. By hand, as std::complex's
/// multiplication looks for infinities and NaNs that cannot occur here.
unsigned char steps_to_escape(double cx, double cy) {
  double x = 0;
  double y = 0;
  int steps = 0;
  for (; steps < kMaxSteps && x * x + y * y <= 4; ++steps) {
    const double next_x = x * x - y * y + cx;
    y = 2 * x * y + cy;
    x = next_x;
  }
  return static_cast<unsigned char>(steps);
}

void draw_row(Picture& picture, std::size_t y) {
  const double cy = -1.2 + 2.4 * static_cast<double>(y) / static_cast<double>(picture.height);
  const double step = 3.2 / static_cast<double>(picture.width);
  for (std::size_t x = 0; x < picture.width; ++x) {
    const double cx = -2.2 + step * static_cast<double>(x);
    picture.row(y)[x] = steps_to_escape(cx, cy);
  }
}

std::array<png_color, kMaxSteps + 1> palette() {
  std::array<png_color, kMaxSteps + 1> colors{};  // the last one stays black: inside
  for (std::size_t i = 0; i < kMaxSteps; ++i) {
    const double phase = 0.35 * std::sqrt(static_cast<double>(i)) * std::numbers::pi;
    const auto wave = [&](double shift) {
      return static_cast<png_byte>(std::lround(127.5 - 127.5 * std::cos(phase + shift)));
    };
    colors[i] = {wave(0.9), wave(0.5), wave(0.1)};
  }
  return colors;
}

/// libpng reports errors by longjmp, which must not jump over C++ destructors: nothing in here
/// has any.
bool write_png(std::FILE* file, Picture& picture, const png_color* colors) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  if (png == nullptr) return false;
  png_infop info = png_create_info_struct(png);
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_init_io(png, file);
  png_set_IHDR(png, info, static_cast<png_uint_32>(picture.width),
               static_cast<png_uint_32>(picture.height), 8, PNG_COLOR_TYPE_PALETTE,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_PLTE(png, info, colors, kMaxSteps + 1);
  png_write_info(png, info);
  for (std::size_t y = 0; y < picture.height; ++y) png_write_row(png, picture.row(y).data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fputs("Usage: mandelbrot FILE.png [WIDTH HEIGHT]\n", stderr);
    return 2;
  }
  const std::size_t width = argc == 4 ? std::strtoull(argv[2], nullptr, 10) : 1600;
  const std::size_t height = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 1200;
  if (width < 1 || width > 32'768 || height < 1 || height > 32'768) {
    std::fputs("mandelbrot: width and height go from 1 to 32768\n", stderr);
    return 2;
  }
  Picture picture{width, height};

  weft::Threadpool pool;
  pool.sync_scope([&] {
    for (std::size_t y = 0; y < picture.height; ++y) {
      pool.spawn_detached([&picture, y] { draw_row(picture, y); });
    }
  });  // every row is drawn from here on

  const auto colors = palette();
  std::FILE* const file = std::fopen(argv[1], "wb");
  const bool written = file != nullptr && write_png(file, picture, colors.data());
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) {
    std::fprintf(stderr, "mandelbrot: cannot write %s\n", argv[1]);
    return 1;
  }
}
