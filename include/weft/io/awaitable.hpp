// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What all operations are to whoever awaits them. `docs/design/io.md`.

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include "weft/detail/config.hpp"
#include "weft/detail/task_node.hpp"
#include "weft/io/fd.hpp"
#include "weft/io/operation.hpp"
#include "weft/io/result.hpp"

namespace weft::io {
class Reactor;
}

namespace weft::io::detail {

/// Whose thread runs what is awaited on it.
WEFT_API Hub& hub_of(Reactor& reactor) noexcept;

/// Suspends `frame` until `op` has ended. \return false: it has ended already
WEFT_API bool start(Operation& op, TaskNode* frame) noexcept;

/// An error number negated, as an error_code.
inline std::error_code error_of(std::int32_t result) noexcept {
  return {-result, std::system_category()};
}

/// What `co_await` of an operation gives, by the type of its value.
template <class T>
Result<T> result_of(const Operation& op) {
  if (op.result < 0) return error_of(op.result);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_same_v<T, Fd>) {
    return Fd(op.result);
  } else {
    return static_cast<T>(op.result);
  }
}

/// Awaits an operation where it is, a temporary or not (GCC 12 would copy the latter).
template <class Op>
struct Awaiter {
  Op& op;
  bool await_ready() const noexcept { return op.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    frame.promise().before_suspend();
    return op.await_suspend(frame);
  }
  decltype(auto) await_resume() { return op.await_resume(); }
};

/// For PromiseBase::await_transform, which finds it by its argument.
template <class Op>
  requires requires { typename Op::ParksItself; }
Awaiter<Op> awaiter_of(Op& op) noexcept {
  return {op};
}

/// Base of every operation type. `Derived::prepare()` is called when it is awaited, and so does not
/// move any more.
template <class Derived, class T, class Base = Operation>
class [[nodiscard]] Awaitable : public Base {
 public:
  using Base::Base;
  using ParksItself = void;  ///< for PromiseBase::await_transform
  using value_type = T;

  /// Cancels it after that time, counted from when it is awaited: the result is then
  /// std::errc::timed_out, unless it was done by then. std::errc::not_enough_memory: there is none for
  /// one more deadline, and it has not begun.
  template <class Rep, class Period>
  Derived&& timeout(std::chrono::duration<Rep, Period> limit) && noexcept {
    return std::move(self().timeout(limit));
  }
  template <class Rep, class Period>
  Derived& timeout(std::chrono::duration<Rep, Period> limit) & noexcept {
    this->with_extras().time = to_nanoseconds(limit);
    return self();
  }

  /// Cancels it once the token says so: the result is then std::errc::operation_canceled, unless
  /// it was done by then.
  Derived&& stop_on(std::stop_token stop) && noexcept {
    return std::move(self().stop_on(std::move(stop)));
  }
  Derived& stop_on(std::stop_token stop) & noexcept {
    this->with_extras().token = std::move(stop);
    return self();
  }

  /// Has the program's own ring run it: see reactor.hpp.
  Derived&& on(Reactor& reactor) && noexcept { return std::move(self().on(reactor)); }
  Derived& on(Reactor& reactor) & noexcept {
    this->with_extras().wanted_hub = &hub_of(reactor);
    return self();
  }

  bool await_ready() const noexcept { return false; }

  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame_handle) noexcept {
    static_assert(std::is_base_of_v<TaskNode, P>,
                  "co_await of a weft::io operation works inside a weft::Task only");
    self().prepare();
    return start(*this, &frame_handle.promise());
  }

  Result<T> await_resume() { return result_of<T>(*this); }

  /// Nothing to do, for most.
  void prepare() noexcept {}

 protected:
  void entry(std::uint8_t opcode, int fd, const void* address = nullptr, std::size_t length = 0,
             std::uint64_t offset = 0) noexcept {
    this->sqe().opcode = opcode;
    this->sqe().fd = fd;
    this->sqe().off = offset;
    point_to(address);
    this->sqe().len = clamped(length);
  }
  void entry(std::uint8_t opcode, BorrowedFd fd, const void* address = nullptr,
             std::size_t length = 0, std::uint64_t offset = 0) noexcept {
    entry(opcode, fd.get(), address, length, offset);
    this->keep(fd);
  }
  void point_to(const void* address) noexcept {
    this->sqe().addr = reinterpret_cast<std::uintptr_t>(address);
  }
  /// As the system calls do: at most 2 GiB less a page at once.
  static std::uint32_t clamped(std::size_t length) noexcept {
    constexpr std::size_t kMost = 0x7FFF'F000;
    return static_cast<std::uint32_t>(length < kMost ? length : kMost);
  }

 private:
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

}  // namespace weft::io::detail
