/* SPDX-License-Identifier: MIT */
/* scripts/layers: a copy of the product depends downwards, and what is added to it that does not is
 * refused. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <unistd.h>

TestSuite(layers, .init = open_world, .fini = close_world);

/* Copies sources and objects to $HOME/tree, changes them there, and says what scripts/layers finds. */
static struct run look_after(const char *change)
{
  char source[PATH_MAX];
  cr_assert(getcwd(source, sizeof(source)));
  return run_shell_plain(
      &w,
      world_text(&w,
                 "cd %s && S=$PWD && mkdir -p ~/tree/obj && cp -r config fleet store tape shim cli ~/tree && "
                 "cd %s/obj && cp -r config store tape shim cli $(ls -d fleet) ~/tree/obj && "
                 "cd ~/tree && { %s; } && $S/scripts/layers --root . .",
                 source, w.build, change));
}

Test(layers, the_product_depends_downwards)
{
  struct run run = look_after("true");
  cr_expect_eq(run.status, 0, "%s", run.err);
  cr_expect_str_eq(run.out, "");
  run_release(&run);
}

struct change {
  char script[360], finding[160];
};

#define COMPILE_AS(file) "cc -D_GNU_SOURCE -I. -c -o obj/" file ".o " file ".c"
#define COMPILE          COMPILE_AS("shim/base/stack")

ParameterizedTestParameters(layers, what_goes_up_is_refused)
{
  static struct change changes[] = {
      {"sed -i '2i #include \"shim/hooks/hook.h\"' shim/base/stack.c",
       "shim/base/stack.c:2: includes shim/hooks/hook.h, which is above it"},
      {"sed -i '2i #include \"shim/engine/live.h\"' shim/base/stack.h",
       "shim/base/stack.h:2: includes shim/engine/live.h, which is above it"},
      {"sed -i '2i #include \"store/base/fd.h\"' config/load.c",
       "config/load.c:2: includes store/base/fd.h, which is above it"},
      {"sed -i '2i #include \"shim/base/clock.h\"' cli/main.c",
       "cli/main.c:2: includes shim/base/clock.h, which is above it"},
      {"sed -i '2i #include \"store/base/fd.h\"' shim/hooks/hook_dl.c",
       "shim/hooks/hook_dl.c:2: includes store/base/fd.h, which is above it"},
      {"echo 'int hook_dl_open_flags(const char *, int); int up(void) { return hook_dl_open_flags(\"\", 0); "
       "}' "
       ">>shim/base/stack.c && " COMPILE,
       "shim/base/stack.c: calls hook_dl_open_flags of shim/hooks/hook_dl.c, which is above it"},
      {"echo 'extern int shadow_last; int up(void) { return shadow_last; }' >>shim/base/stack.c && " COMPILE,
       "shim/base/stack.c: calls shadow_last of shim/handle/"},
      {"sed -i '2i #include \"fleet/client.h\"' store/base/fd.c",
       "store/base/fd.c:2: includes fleet/client.h, which is above it"},
      {"sed -i '2i #include \"store/base/fd.h\"' fleet/client.c",
       "fleet/client.c:2: includes store/base/fd.h, which is above it"},
      {"echo 'int fd_open(void); int up(void) { return fd_open(); }' >fleet/reply.c && mkdir -p obj/fleet "
       "&& " COMPILE_AS("fleet/reply"),
       "fleet/reply.c: calls fd_open of store/base/fd.c, which is above it"},
      {"mkdir -p obj/fleet && echo 'int link_open;' | cc -xc -c -o obj/fleet/link.o - && "
       "echo 'int link_open(void); int up(void) { return link_open(); }' >store/base/fd.c && " COMPILE_AS(
           "store/base/fd"),
       "store/base/fd.c: calls link_open of fleet/link.c, which is above it"},
      /* Includes that may be there one by one: an interface is included by what lies below it. */
      {"echo '#include \"store/store.h\"' >>store/base/fd.h; echo '#include \"store/base/fd.h\"' "
       ">>store/store.h",
       "store: a circle through store, store/base: "},
      {"for i in 1 2 3 4; do echo \"#include \\\"shim/base/ring$((i % 4 + 1)).h\\\"\" >shim/base/ring$i.h; "
       "done",
       "shim/base: a circle of 4 modules, more than 3: ring1, ring2, ring3, ring4"},
      {"rm obj/shim/base/stack.o", "shim/base/stack.c:1: is not built"},
      {"mkdir shim/attic && mv shim/base/clock.h shim/attic",
       "shim/attic/clock.h:1: scripts/layers does not know"},
  };
  return cr_make_param_array(struct change, changes, sizeof(changes) / sizeof(*changes));
}

ParameterizedTest(struct change *change, layers, what_goes_up_is_refused)
{
  struct run run = look_after(change->script);
  cr_expect_eq(run.status, 1, "%s", run.err);
  cr_expect(strstr(run.out, change->finding), "%s\n%s", change->finding, run.out);
  run_release(&run);
}
