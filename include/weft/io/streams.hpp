// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Streams: operations that go on and give one result after the other.
///
///     io::Stream<io::Fd> connections = io::accept_many(listener);
///     while (auto item = co_await connections.next()) {
///       weft::spawn_detached(serve(std::move(*item).value()));
///     }
///
/// One request to the kernel serves for many results where it can (multishot: Linux 5.19 to accept, 6.0
/// to receive); elsewhere each is an operation of its own.

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "weft/io/awaitable.hpp"
#include "weft/io/buffers.hpp"

namespace weft::io {

template <class T>
class Stream;

namespace detail {

/// Waits for one item of a stream.
class NextBase : public Operation {
 public:
  using Operation::Operation;
};

/// \return true: `next` has an item, or the end
WEFT_API bool take_ready(NextBase& next) noexcept;
WEFT_API void limit_stream(StreamState& stream, Nanoseconds time) noexcept;
WEFT_API void stop_stream_on(StreamState& stream, std::stop_token stop) noexcept;
WEFT_API void cancel_stream(StreamState& stream) noexcept;
WEFT_API void drop_stream(StreamState& stream) noexcept;
WEFT_API StreamState* make_accept_stream(BorrowedFd listener, int flags);
WEFT_API StreamState* make_recv_stream(BorrowedFd socket, Shelves& shelves, int flags);

template <class T>
class [[nodiscard]] Next : public Awaitable<Next<T>, T, NextBase> {
 public:
  explicit Next(StreamState* of) noexcept : Awaitable<Next<T>, T, NextBase>(of) {}

  bool await_ready() noexcept { return take_ready(*this); }

  std::optional<Result<T>> await_resume() {
    if (this->ended) return std::nullopt;
    if (this->result < 0) return Result<T>(error_of(this->result));
    if constexpr (std::is_same_v<T, Fd>) {
      return Result<T>(Fd(this->result));
    } else {
      if ((this->completion_flags & IORING_CQE_F_BUFFER) == 0) return Result<T>(Lease());
      return Result<T>(Lease(*this->shelf, this->completion_flags >> IORING_CQE_BUFFER_SHIFT,
                             static_cast<std::size_t>(this->result)));
    }
  }
};

}  // namespace detail

/// Results of an operation that goes on until it fails, is cancelled, or nothing can come any more. It
/// begins with the first `next()`, and the pool that this was awaited on is the stream's for good.
/// Move-only. Several tasks may await `next()` at the same time; each item goes to one of them.
///
/// Its destructor cancels it, and does not wait: what has arrived and was not taken is closed or goes
/// back to its pool. To lose nothing, `cancel()` it and go on with `next()` until that is empty.
template <class T>
class [[nodiscard]] Stream {
 public:
  using value_type = T;

  Stream() noexcept = default;
  explicit Stream(detail::StreamState* state) noexcept : state_(state) {}
  Stream(Stream&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    Stream old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (state_ != nullptr) detail::drop_stream(*state_);
  }

  /// `co_await` it: a std::optional<Result<T>>, empty at the end. An error that ends the stream is its
  /// last item. Takes `.timeout()` and `.stop_on()` as every operation; they end the wait, not the
  /// stream, and no item is lost.
  auto next() noexcept { return detail::Next<T>(state_); }

  /// Has it end soon, from whichever task or thread owns it.
  void cancel() noexcept {
    if (state_ != nullptr) detail::cancel_stream(*state_);
  }

  /// Cancels all of the stream after that time, counted from the first `next()`: its last item is then
  /// std::errc::timed_out. To be called before that, as stop_on().
  template <class Rep, class Period>
  Stream&& timeout(std::chrono::duration<Rep, Period> limit) && noexcept {
    return std::move(timeout(limit));
  }
  template <class Rep, class Period>
  Stream& timeout(std::chrono::duration<Rep, Period> limit) & noexcept {
    detail::limit_stream(*state_, detail::to_nanoseconds(limit));
    return *this;
  }

  /// Cancels all of the stream once the token says so: its last item is then
  /// std::errc::operation_canceled.
  Stream&& stop_on(std::stop_token stop) && noexcept { return std::move(stop_on(std::move(stop))); }
  Stream& stop_on(std::stop_token stop) & noexcept {
    detail::stop_stream_on(*state_, std::move(stop));
    return *this;
  }

 private:
  detail::StreamState* state_ = nullptr;
};

/// Accepts connections, one after the other, each closed on exec. What fails for want of descriptors
/// or memory is an item with an error, not the end: `next()` tries again, after a short pause.
/// \throws std::bad_alloc
inline Stream<Fd> accept_many(BorrowedFd listener, int flags = SOCK_CLOEXEC) {
  return Stream<Fd>(detail::make_accept_stream(listener, flags));
}

/// Receives into buffers of the pool, as they come. An empty lease says that the peer sends no more;
/// the stream ends with it. While all buffers of the pool are out it waits.
/// \throws std::bad_alloc
inline Stream<Lease> recv_many(BorrowedFd socket, BufferPool& buffers, int flags = 0) {
  return Stream<Lease>(detail::make_recv_stream(socket, buffers.shelves(), flags));
}

}  // namespace weft::io
