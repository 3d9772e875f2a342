// SPDX-License-Identifier: MIT OR Apache-2.0
// Option prices, chunks of a flat array as tasks that one loop spawns.
#include <weft/weft.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

void price(const bench::Stock* stocks, float* prices, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) prices[i] = bench::call_price(stocks[i]);
}

weft::Task<> price_all(const std::vector<bench::Stock>& stocks, std::vector<float>& prices,
                       std::size_t chunk) {
  std::vector<weft::Flowvar<>> parts;
  parts.reserve(stocks.size() / chunk + 1);
  for (std::size_t first = 0; first < stocks.size(); first += chunk) {
    parts.push_back(weft::spawn(price, stocks.data(), prices.data(), first,
                                std::min(first + chunk, stocks.size())));
  }
  for (auto& part : parts) co_await std::move(part);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{
      "black_scholes", "weft",
      {{"size", 10'000'000, "options"}, {"chunk", 1024, "options per task"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const auto count = static_cast<std::size_t>(options["size"]);
  const auto chunk = static_cast<std::size_t>(std::max(1L, options["chunk"]));
  std::vector<bench::Stock> stocks(count);
  for (std::size_t i = 0; i < count; ++i) stocks[i] = bench::stock(i);
  std::vector<float> prices(count);

  weft::Threadpool pool(options.workers);
  return bench::measure(
      program, options, (count + chunk - 1) / chunk,
      [&] {
        std::fill(prices.begin(), prices.end(), -1.0F);
        pool.run(price_all(stocks, prices, chunk));
      },
      [&] { return bench::Answer{"close to erfc", bench::prices_are_right(prices)}; });
}
