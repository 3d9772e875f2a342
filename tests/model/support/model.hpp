// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How a model runs. A model is an `rl::test_suite`: `thread(i)` is what thread i does, and
/// `after()` looks at the result. Relacy runs it again and again with other interleavings and
/// other legal values of its loads, and reports data races, deadlocks (which is what a lost
/// wake-up becomes), double frees, leaks and failed checks, with the history that led there.

#include "relacy_atomic.hpp"

/// Fails the model, with the history.
#define MODEL_CHECK(condition)                                            \
  do {                                                                    \
    if (!(condition))                                                     \
      rl::ctx().fail_test(#condition, rl::test_result_user_assert_failed, \
                          rl::debug_info(__func__, __FILE__, __LINE__));  \
  } while (false)

namespace weft::detail::model {

/// A model whose schedules know nothing of each other.
template <class Model>
struct Fresh : Model {
  Fresh() { AsymmetricFences::reset(); }
};

/// Random schedules: `iterations` of them, always the same ones. Bounded ones: all schedules with
/// at most `context_bound` preemptions.
/// \return true if Relacy found nothing.
template <class Model>
bool run(rl::iteration_t iterations, unsigned context_bound = 0) {
  std::ostringstream progress;  // nobody wants to see percents
  rl::test_params params;
  params.progress_stream = &progress;
  params.execution_depth_limit = 10'000;
  params.iteration_count = iterations;
  bool good = rl::simulate<Fresh<Model>>(params);
  if (good && context_bound != 0) {
    rl::test_params bounded;
    bounded.progress_stream = &progress;
    bounded.execution_depth_limit = 10'000;
    bounded.search_type = rl::fair_context_bound_scheduler_type;
    bounded.context_bound = context_bound;
    std::cout << "all schedules with at most " << context_bound << " preemptions: ";
    good = rl::simulate<Fresh<Model>>(bounded);
  }
  return good;
}

}  // namespace weft::detail::model
