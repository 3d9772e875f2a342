// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The one main of every test executable. It switches the library's watchdog on, so that a run that
// hangs prints what each worker does and what every parked frame awaits, before Meson ends it.

#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include <cstdlib>

int main(int argc, char** argv) {
#ifdef WEFT_TEST_NO_WATCHDOG
  ::unsetenv("WEFT_WATCHDOG");  // idle tests count the wake-ups of every thread: nothing else may run
#else
  ::setenv("WEFT_WATCHDOG", "60", 0);
#endif
  return boost::unit_test::unit_test_main([] { return true; }, argc, argv);
}
