// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// sync_scope: a block that ends when every task spawned inside it has.

#include <coroutine>
#include <exception>
#include <utility>

#include "weft/task.hpp"

namespace weft {

namespace detail {

/// The awaitable sync_scope's own scope; its frame enters it first and leaves it last.
struct ScopeEntry {
  WEFT_API ScopeEntry();  ///< makes the current worker spawn into a new scope
  WEFT_API ~ScopeEntry();
  ScopeEntry(const ScopeEntry&) = delete;
  ScopeEntry& operator=(const ScopeEntry&) = delete;

  /// Suspends `frame` until the scope is quiet.
  WEFT_API bool park(TaskNode* frame) noexcept;
  /// Makes the current worker, maybe another one than before, spawn into the outer scope again.
  WEFT_API void leave() noexcept;

  Scope* const outer;
  Scope* const scope;
  ScopeWaiter waiter;
};

struct ScopeJoin {
  ScopeEntry& entry;
  bool await_ready() const noexcept { return entry.scope->quiet(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    return entry.park(&frame.promise());
  }
  void await_resume() const noexcept { entry.leave(); }
};

}  // namespace detail

// GCC 12 takes the frame of a coroutine template whose parameter is a lambda of an anonymous
// namespace for a type of another file, and warns in the user's code.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

namespace detail {

/// A frame of its own, which resumes in the scope (see Worker::before_park), and so destroys the
/// body's frame there: destructors of its parameters may spawn.
template <class Body>
Task<> run_body(Body& body) {
  co_await body();
}

}  // namespace detail

/// `co_await sync_scope([&]() -> Task<> { ... })`: runs the body and returns once every task
/// spawned inside, on whatever pool, and every descendant, is done: awaited, dropped, detached or
/// moved out. An exception that leaves the body is rethrown after that. Scopes nest.
template <class Body>
Task<> sync_scope(Body body) {
  detail::ScopeEntry entry;
  std::exception_ptr first;
  try {
    co_await detail::run_body(body);
  } catch (...) {
    first = std::current_exception();
  }
  co_await detail::ScopeJoin{entry};
  if (first) std::rethrow_exception(std::move(first));
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace weft
