// SPDX-License-Identifier: MIT OR Apache-2.0
//
// refuse_io_uring [--buffer-rings] PROGRAM ARGUMENT...: runs a program under a seccomp filter that
// answers io_uring_setup(2) with EPERM, as the default profile of Docker does; or only the registration
// of buffer rings with EINVAL, as kernels before 5.19 do.

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const bool buffer_rings = argc > 1 && std::strcmp(argv[1], "--buffer-rings") == 0;
  if (buffer_rings) {
    --argc;
    ++argv;
  }
  if (argc < 2) return 2;
  sock_filter no_ring[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  // The low half of the second argument: an opcode, maybe with the flag of a registered ring.
  constexpr unsigned kLow = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
  sock_filter no_buffer_rings[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1]) + kLow),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7FFF'FFFF),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IORING_REGISTER_PBUF_RING, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{.len = sizeof no_ring / sizeof no_ring[0], .filter = no_ring};
  if (buffer_rings) {
    program = {.len = sizeof no_buffer_rings / sizeof no_buffer_rings[0],
               .filter = no_buffer_rings};
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("seccomp");
    return 77;  // skipped: not to be had here
  }
  ::execv(argv[1], argv + 1);
  std::perror(argv[1]);
  return 2;
}
