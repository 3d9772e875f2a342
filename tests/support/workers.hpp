// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The worker counts that a test runs over, and how far a build can be pushed. 64 is far more than
// the CPUs of most machines on purpose: workers are then preempted in the middle of every protocol.

#pragma once

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_TEST_SANITIZED 1
#endif
#endif
#ifndef WEFT_TEST_SANITIZED
#define WEFT_TEST_SANITIZED 0
#endif

namespace weft::test {

inline constexpr bool kSanitized = WEFT_TEST_SANITIZED != 0;
#ifdef __OPTIMIZE__
inline constexpr bool kOptimized = true;
#else
inline constexpr bool kOptimized = false;
#endif

/// A number from the environment, so that one binary serves a quick CI run and a long soak.
inline std::uint64_t env_or(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::stoull(text) : fallback;
}

/// 1, 2 and 64, or only WEFT_TEST_WORKERS when that is set.
inline std::vector<int> worker_counts() {
  if (const std::uint64_t one = env_or("WEFT_TEST_WORKERS", 0); one != 0) {
    return {static_cast<int>(one)};
  }
  return {1, 2, 64};
}

}  // namespace weft::test

/// One test case per worker count; the body sees `workers`.
#define WEFT_TEST_EACH_WORKERS(name) \
  BOOST_DATA_TEST_CASE(name, boost::unit_test::data::make(weft::test::worker_counts()), workers)
