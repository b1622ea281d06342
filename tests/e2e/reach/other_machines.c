/* SPDX-License-Identifier: MIT */
/* Machines that idemshim is not for: whoever builds it there is told so, in one line for each
 * file, and nothing else. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(other_machines, .init = open_bare_world, .fini = close_world);

/* The object that is loaded into every program. The compiler needs no header of that machine to say it. */
static void expect_one_error_a_file(const char *compiler)
{
  struct run asked =
      run_shell_plain(&w, world_text(&w, "echo 'int i;' | %s -x c -S -o /dev/null - 2>/dev/null", compiler));
  if (asked.status != 0)
    cr_skip_test("there is no %s here", compiler);
  run_release(&asked);
  struct run made = run_shell_plain(
      &w, world_text(&w,
                     "unset CFLAGS MAKEFLAGS MAKELEVEL; LC_ALL=C make -s -k CC='%s' B=\"$HOME/other\" SAN= "
                     "\"$HOME/other/libidemshim.so\" 2>&1",
                     compiler));
  int files = count_of(made.out, "] Error 1");
  cr_expect_neq(made.status, 0);
  cr_expect(files > 80, "%d files failed: %.2000s", files, made.out);
  cr_expect_eq(count_of(made.out, "error: #error \"idemshim is for 64-bit Linux on x86-64 and aarch64\""),
               files, "%.4000s", made.out);
  cr_expect_eq(count_of(made.out, "error: "), files, "%.4000s", made.out);
  run_release(&made);
}

Test(other_machines, an_x86_of_32_bits_is_refused_in_one_line)
{
  expect_one_error_a_file("gcc -m32");
}

Test(other_machines, an_arm_of_32_bits_is_refused_in_one_line)
{
  expect_one_error_a_file("arm-linux-gnueabihf-gcc");
}
