// SPDX-License-Identifier: MIT OR Apache-2.0
#include <boost/test/unit_test.hpp>

#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <weft/detail/topology.hpp>

namespace {

/// A directory that stands for "/", removed at the end.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-topology-XXXXXX").string();
    BOOST_REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  ~FakeRoot() { std::filesystem::remove_all(path_); }

  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path target = path_ + file;
    std::filesystem::create_directories(target.parent_path());
    std::ofstream(target) << text;
  }
  int limit() const { return weft::detail::cgroup_cpu_limit(path_); }

 private:
  std::string path_;
};

const std::string kV2Mount = "30 25 0:26 / /cg rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
const std::string kV1Mount = "31 25 0:27 / /cg1 rw - cgroup cgroup rw,cpu,cpuacct\n";

struct V2 : FakeRoot {
  V2() {
    write("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" + kV2Mount);
    write("/proc/self/cgroup", "0::/a/b\n");
  }
};

struct V1 : FakeRoot {
  V1() {
    write("/proc/self/mountinfo", kV1Mount);
    write("/proc/self/cgroup", "5:cpuset:/wrong\n4:cpu,cpuacct:/a/b\n");
  }
  void quota(const std::string& directory, const std::string& us, const std::string& period) {
    write("/cg1" + directory + "/cpu.cfs_quota_us", us + "\n");
    write("/cg1" + directory + "/cpu.cfs_period_us", period + "\n");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(nothing_there_is_no_limit, FakeRoot) { BOOST_TEST(limit() == 0); }

BOOST_FIXTURE_TEST_CASE(v2_without_files_is_no_limit, V2) { BOOST_TEST(limit() == 0); }

BOOST_FIXTURE_TEST_CASE(v2_quota_is_rounded_up, V2) {
  write("/cg/a/b/cpu.max", "250000 100000\n");
  BOOST_TEST(limit() == 3);
  write("/cg/a/b/cpu.max", "200000 100000\n");
  BOOST_TEST(limit() == 2);
  write("/cg/a/b/cpu.max", "1000 100000\n");
  BOOST_TEST(limit() == 1);
}

BOOST_FIXTURE_TEST_CASE(v2_period_may_be_left_out, V2) {
  write("/cg/a/b/cpu.max", "150000\n");
  BOOST_TEST(limit() == 2);
}

BOOST_FIXTURE_TEST_CASE(v2_max_is_no_limit, V2) {
  write("/cg/a/b/cpu.max", "max 100000\n");
  BOOST_TEST(limit() == 0);
}

BOOST_FIXTURE_TEST_CASE(v2_tightest_level_rules, V2) {
  write("/cg/a/b/cpu.max", "800000 100000\n");
  write("/cg/a/cpu.max", "300000 100000\n");
  write("/cg/cpu.max", "500000 100000\n");
  BOOST_TEST(limit() == 3);
  write("/cg/cpu.max", "100000 100000\n");
  BOOST_TEST(limit() == 1);
  write("/cg/a/b/cpu.max", "max 100000\n");
  write("/cg/a/cpu.max", "max 100000\n");
  write("/cg/cpu.max", "700000 100000\n");
  BOOST_TEST(limit() == 7);
}

BOOST_FIXTURE_TEST_CASE(v2_sibling_does_not_count, V2) {
  write("/cg/a/c/cpu.max", "100000 100000\n");
  BOOST_TEST(limit() == 0);
}

BOOST_FIXTURE_TEST_CASE(malformed_quotas_are_ignored, V2) {
  for (const char* text : {"", "\n", "many 100000\n", "100000x 100000\n", "100000 0\n", "0 100000\n",
                           "-5 100000\n", "100000 often\n", "99999999999999999999999 1\n"}) {
    BOOST_TEST_CONTEXT("cpu.max: '" << text << "'") {
      write("/cg/a/b/cpu.max", text);
      BOOST_TEST(limit() == 0);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(malformed_lists_are_ignored, V2) {
  write("/cg/a/b/cpu.max", "200000 100000\n");
  write("/proc/self/cgroup", "\nnonsense\n1:\n0::/a/b\n");
  write("/proc/self/mountinfo", "\nx\n1 2 3 - cgroup2\n - \n" + kV2Mount);
  BOOST_TEST(limit() == 2);
}

BOOST_FIXTURE_TEST_CASE(mount_shows_only_a_part, V2) {
  write("/proc/self/mountinfo", "30 25 0:26 /a /cg rw - cgroup2 cgroup2 rw\n");
  write("/cg/b/cpu.max", "200000 100000\n");
  BOOST_TEST(limit() == 2);
  write("/proc/self/cgroup", "0::/ab\n");  // not below /a: the mount's top is all there is
  BOOST_TEST(limit() == 0);
  write("/cg/cpu.max", "400000 100000\n");
  BOOST_TEST(limit() == 4);
}

BOOST_FIXTURE_TEST_CASE(cgroup_outside_the_namespace, V2) {
  write("/proc/self/cgroup", "0::/../other\n");
  write("/other/cpu.max", "100000 100000\n");  // what /cg/../other would lead to
  write("/cg/cpu.max", "600000 100000\n");
  BOOST_TEST(limit() == 6);
}

BOOST_FIXTURE_TEST_CASE(mount_point_with_a_space, V2) {
  write("/proc/self/mountinfo", "30 25 0:26 / /c\\040g rw - cgroup2 cgroup2 rw\n");
  write("/c g/a/b/cpu.max", "200000 100000\n");
  BOOST_TEST(limit() == 2);
}

BOOST_FIXTURE_TEST_CASE(v1_quota, V1) {
  BOOST_TEST(limit() == 0);
  quota("/a/b", "-1", "100000");
  BOOST_TEST(limit() == 0);
  quota("/a/b", "75000", "50000");
  BOOST_TEST(limit() == 2);
  quota("/wrong", "50000", "50000");  // the cpuset hierarchy's path says nothing about cpu
  BOOST_TEST(limit() == 2);
  quota("/a", "50000", "50000");
  BOOST_TEST(limit() == 1);
}

BOOST_FIXTURE_TEST_CASE(v1_malformed, V1) {
  quota("/a/b", "100000", "0");
  BOOST_TEST(limit() == 0);
  quota("/a/b", "", "100000");
  BOOST_TEST(limit() == 0);
}

BOOST_FIXTURE_TEST_CASE(hybrid_takes_the_tighter, V1) {
  write("/proc/self/mountinfo", kV1Mount + kV2Mount);
  write("/proc/self/cgroup", "4:cpu,cpuacct:/a/b\n0::/c\n");
  quota("/a/b", "400000", "100000");
  BOOST_TEST(limit() == 4);
  write("/cg/c/cpu.max", "200000 100000\n");
  BOOST_TEST(limit() == 2);
  quota("/a", "100000", "100000");
  BOOST_TEST(limit() == 1);
}

BOOST_AUTO_TEST_CASE(allowed_cpus_follow_the_affinity_mask) {
  const auto before = weft::detail::allowed_cpus();
  BOOST_REQUIRE(!before.empty());
  BOOST_TEST(std::is_sorted(before.begin(), before.end()));

  cpu_set_t saved, one;
  BOOST_REQUIRE(sched_getaffinity(0, sizeof(saved), &saved) == 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(before.back()), &one);
  BOOST_REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  const auto narrowed = weft::detail::allowed_cpus();
  const int parallelism = weft::available_parallelism();
  BOOST_REQUIRE(sched_setaffinity(0, sizeof(saved), &saved) == 0);

  BOOST_TEST(narrowed.size() == 1u);
  BOOST_TEST(narrowed.front() == before.back());
  BOOST_TEST(parallelism == 1);
}

BOOST_AUTO_TEST_CASE(parallelism_is_bounded_by_cpus_and_quota) {
  const int parallelism = weft::available_parallelism();
  BOOST_TEST(parallelism >= 1);
  BOOST_TEST(parallelism <= static_cast<int>(weft::detail::allowed_cpus().size()));
  const int quota = weft::detail::cgroup_cpu_limit();
  if (quota != 0) BOOST_TEST(parallelism <= quota);
}
