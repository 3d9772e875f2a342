// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/interruption.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#ifndef sigev_notify_thread_id  // glibc has the member, but not the name
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace weft::io::detail {

namespace {

// \return the signal, or 0
int claim_signal() noexcept {
  for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
    struct sigaction before;
    if (::sigaction(number, nullptr, &before) != 0) continue;
    if ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction own {};
    own.sa_handler = [](int) {};
    own.sa_flags = 0;  // not SA_RESTART: the call is to end
    ::sigemptyset(&own.sa_mask);
    if (::sigaction(number, &own, nullptr) == 0) return number;
  }
  return 0;
}

int signal_number() noexcept {
  static const int number = claim_signal();
  return number;
}

}  // namespace

void Interruption::bind_to_this_thread() noexcept {
  if (thread_ != 0 || signal_number() == 0) return;
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, signal_number());
  ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  thread_ = static_cast<pid_t>(::syscall(SYS_gettid));
}

void Interruption::begin() noexcept {
  if (begun_ || thread_ == 0) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal_number();
  event.sigev_notify_thread_id = thread_;
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) return;
  constexpr itimerspec kEachMillisecond{.it_interval = {0, 1'000'000}, .it_value = {0, 1}};
  ::timer_settime(timer_, 0, &kEachMillisecond, nullptr);
  begun_ = true;
}

void Interruption::end() noexcept {
  if (begun_) ::timer_delete(timer_);
  begun_ = false;
}

}  // namespace weft::io::detail
