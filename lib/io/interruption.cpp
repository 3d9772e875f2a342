// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/interruption.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <initializer_list>

#ifndef sigev_notify_thread_id  // glibc has the member, but not the name
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace weft::io::detail {

namespace {

bool is_default(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

bool claim(int number) noexcept {
  struct sigaction before;
  if (::sigaction(number, nullptr, &before) != 0 || !is_default(before)) return false;
  struct sigaction own {};
  own.sa_handler = [](int) {};
  own.sa_flags = 0;  // not SA_RESTART: the call is to end
  ::sigemptyset(&own.sa_mask);
  if (::sigaction(number, &own, &before) != 0) return false;
  if (is_default(before)) return true;
  ::sigaction(number, &before, nullptr);  // somebody has just taken it
  return false;
}

// \return the signal, or 0
int claim_signal() noexcept {
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  // One that is blocked may be waited for elsewhere, by signalfd(2), say; or the program blocks all.
  for (const int blocked_too : {0, 1}) {
    for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
      if (::sigismember(&blocked, number) == blocked_too && claim(number)) return number;
    }
  }
  return 0;
}

int signal_number() noexcept {
  static const int number = claim_signal();
  return number;
}

void change_mask(int how) noexcept {
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, signal_number());
  ::pthread_sigmask(how, &one, nullptr);
}

}  // namespace

Interruption::~Interruption() {
  if (has_timer_) ::timer_delete(timer_);
}

void Interruption::enter() noexcept {
  if (signal_number() == 0) return;
  if (!has_timer_) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal_number();
    event.sigev_notify_thread_id = static_cast<pid_t>(::syscall(SYS_gettid));
    has_timer_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  }
  change_mask(SIG_UNBLOCK);
}

void Interruption::leave() noexcept {
  if (signal_number() == 0) return;
  if (begun_) {
    constexpr itimerspec kNever{};
    ::timer_settime(timer_, 0, &kNever, nullptr);
    begun_ = false;
  }
  change_mask(SIG_BLOCK);  // one that is still to come is harmless then, or before the next call
}

void Interruption::begin() noexcept {
  if (!has_timer_ || begun_) return;
  constexpr itimerspec kEachMillisecond{.it_interval = {0, 1'000'000}, .it_value = {0, 1}};
  ::timer_settime(timer_, 0, &kEachMillisecond, nullptr);
  begun_ = true;
}

}  // namespace weft::io::detail
