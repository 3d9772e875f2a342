// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// `co_await` of another library's awaitable inside a Task: whoever resumes it, on whatever
/// thread, makes the frame ready on its own pool.

#include <coroutine>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

#include "weft/detail/frame_pool.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

struct PoolState;

/// Prepares the current worker for the frame's absence.
WEFT_API void before_foreign_park(TaskNode* frame) noexcept;
/// Keeps the pool of a frame that was prepared: foreign code may run on, and block, after it has
/// resumed the frame elsewhere, where that may be gone by now.
class ForeignCall {
 public:
  WEFT_API explicit ForeignCall(TaskNode* frame) noexcept;
  WEFT_API ~ForeignCall();
  ForeignCall(const ForeignCall&) = delete;
  ForeignCall& operator=(const ForeignCall&) = delete;
  /// The frame did not suspend after all.
  WEFT_API void failed() noexcept;

 private:
  TaskNode* const frame_;
  PoolState& pool_;
  const bool is_root_;  // of its nest
};
/// From any thread: the frame may go on.
WEFT_API void resume_on_own_pool(TaskNode* frame) noexcept;

/// What the foreign awaitable is given in place of the frame: a coroutine that makes the frame ready
/// when it is resumed, and also when it is destroyed instead, which it tells by `dropped`.
struct Messenger {
  class promise_type {
   public:
    promise_type(TaskNode* frame, bool& dropped) noexcept : frame_(frame), dropped_(dropped) {}
    ~promise_type() {
      if (frame_ == nullptr) return;
      if (!resumed_) dropped_ = true;
      resume_on_own_pool(frame_);
    }
    promise_type(const promise_type&) = delete;
    promise_type& operator=(const promise_type&) = delete;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
      free_frame(frame, size);
    }
    Messenger get_return_object() noexcept {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() noexcept { resumed_ = true; }
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

   private:
    friend Messenger;
    TaskNode* frame_;
    bool& dropped_;
    bool resumed_ = false;
  };

  static Messenger to(TaskNode*, bool&) { co_return; }

  /// The frame was not suspended: nothing is to be told.
  void cancel() noexcept {
    handle.promise().frame_ = nullptr;
    handle.destroy();
  }

  std::coroutine_handle<promise_type> handle;
};

template <class A>
decltype(auto) get_awaiter(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

template <class Awaiter>
class ForeignAwait {
 public:
  template <class A>
  explicit ForeignAwait(A&& awaitable) : awaiter_(get_awaiter(std::forward<A>(awaitable))) {}

  bool await_ready() { return static_cast<bool>(awaiter_.await_ready()); }

  // Returns what the foreign one does: nothing, whether to suspend, or whom to resume.
  template <class P>
  auto await_suspend(std::coroutine_handle<P> frame) {
    Messenger messenger = Messenger::to(&frame.promise(), dropped_);
    frame.promise().before_suspend();
    before_foreign_park(&frame.promise());
    ForeignCall call(&frame.promise());
    // From the call on, the frame and so *this may be gone: only locals are touched.
    const std::coroutine_handle<> handle = messenger.handle;
    using Result = decltype(awaiter_.await_suspend(handle));
    try {
      if constexpr (std::is_same_v<Result, bool>) {
        const bool suspended = awaiter_.await_suspend(handle);
        if (!suspended) {
          messenger.cancel();
          call.failed();
        }
        return suspended;
      } else {
        return awaiter_.await_suspend(handle);
      }
    } catch (...) {
      messenger.cancel();  // as the standard has it: the frame goes on with the exception
      call.failed();
      throw;
    }
  }

  decltype(auto) await_resume() {
    if (dropped_) [[unlikely]] {
      throw std::system_error(std::make_error_code(std::errc::operation_canceled),
                              "weft: the awaited object destroyed the coroutine handle");
    }
    return awaiter_.await_resume();
  }

 private:
  Awaiter awaiter_;
  bool dropped_ = false;
};

template <class A>
ForeignAwait(A&&) -> ForeignAwait<decltype(get_awaiter(std::declval<A>()))>;

}  // namespace weft::detail
