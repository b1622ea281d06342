/* SPDX-License-Identifier: MIT */
/* What `make install` puts where, and what a shell's completions offer of it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(cli_installed, .init = open_world, .fini = close_world);

/* make, as somebody who has just built calls it. */
static void make(const char *words)
{
  struct run r =
      run_shell_plain(&w, world_text(&w,
                                     "unset MAKEFLAGS MFLAGS MAKELEVEL; make -s --no-print-directory "
                                     "B='%s' DESTDIR=\"$HOME/a b\" %s",
                                     w.build, words));
  expect_success(&r);
  cr_expect_eq(r.out_len + r.err_len, 0, "%s%s", r.out, r.err);
  run_release(&r);
}

static void expect_files(const char *expected)
{
  struct run r = run_shell_plain(&w, "cd \"$HOME/a b\" && find . -type f ! -path '*/examples/*' | sort");
  cr_expect_str_eq(r.out, expected);
  run_release(&r);
}

Test(cli_installed, a_destination_may_have_blanks_and_uninstall_leaves_nothing)
{
  make("prefix=/opt/x libdir=/opt/x/here docdir=/doc install");
  const char *fleet = world_text(&w, "%s/libidemshim-fleet.so", w.build);
  expect_files(world_text(&w,
                          "./opt/x/bin/idemshim\n"
                          "%s"
                          "./opt/x/here/idemshim/libidemshim-store.so\n"
                          "./opt/x/here/libidemshim.so\n"
                          "./opt/x/share/bash-completion/completions/idemshim\n"
                          "./opt/x/share/fish/vendor_completions.d/idemshim.fish\n"
                          "./opt/x/share/man/man1/idemshim.1\n"
                          "./opt/x/share/man/man5/idemshim-rules.5\n"
                          "./opt/x/share/man/man7/idemshim.7\n"
                          "./opt/x/share/zsh/site-functions/_idemshim\n",
                          access(fleet, F_OK) == 0 ? "./opt/x/here/idemshim/libidemshim-fleet.so\n" : ""));
  struct run examples = run_shell_plain(&w, "diff -r examples \"$HOME/a b/doc/examples\"");
  expect_success(&examples);
  make("prefix=/opt/x libdir=/opt/x/here docdir=/doc uninstall");
  expect_files("");
  struct run folders = run_shell_plain(&w, "find \"$HOME/a b\" -name 'idemshim*' -o -name doc");
  cr_expect_str_eq(folders.out, "");
  run_release(&examples);
  run_release(&folders);
}

/* By its name alone where the loader looks, which is where `make install` of root puts it, and by a path that
 * the loader fills in for each machine, in single quotes. */
Test(cli_installed, the_loader_finds_the_library_by_name_and_the_library_its_folder)
{
  static const char *const preloads[] = {
      "LD_LIBRARY_PATH=\"$libdir\" LD_PRELOAD=\"$IDEM_SAN_PRELOAD libidemshim.so\"",
      "LD_PRELOAD=\"$IDEM_SAN_PRELOAD $HOME/root/usr/\"'$LIB/libidemshim.so'"};
  struct run made =
      run_shell_plain(&w, world_text(&w,
                                     "unset MAKEFLAGS MFLAGS MAKELEVEL; make -s --no-print-directory B='%s' "
                                     "DESTDIR=\"$HOME/root\" prefix=/usr install",
                                     w.build));
  expect_success(&made);
  for (size_t i = 0; i < sizeof preloads / sizeof *preloads; i++) {
    const char *script = world_text(
        &w,
        "libdir=$(dirname \"$HOME\"/root/usr/lib*/*/libidemshim.so \"$HOME\"/root/usr/lib*/libidemshim.so "
        "2>/dev/null | grep -v '[*]'); %s curl -sS -d '{\"n\":%zu}' '%s'",
        preloads[i], i, world_url(&w, "/v1/chat/completions"));
    struct run first = run_shell_plain(&w, script), again = run_shell_plain(&w, script);

    expect_success(&first);
    cr_expect_eq(first.err_len, 0, "%s", first.err);
    expect_same_output(&first, &again);
    cr_expect_eq(mock_count(&w).served, (long)i + 1, "%s", script);
    run_release(&first);
    run_release(&again);
  }
  run_release(&made);
}

/* The words of a command line up to the cursor, and what could follow, without what it means. */
static void expect_candidates(const char *words, const char *expected)
{
  struct run r = run_shell_plain(&w, world_text(&w, "idemshim complete -- %s | cut -f 1", words));
  expect_success(&r);
  cr_expect_str_eq(r.out, expected, "%s: %s", words, r.out);
  run_release(&r);
}

Test(cli_installed, what_could_follow_is_known_from_the_tables)
{
  expect_candidates("st", "stats\n");
  expect_candidates("tape ver", "verify\n");
  expect_candidates("help tape d", "diff\n");
  expect_candidates("help ls ''", "");
  expect_candidates("nonsense ''", "");
  expect_candidates("tape ls --l", "--limit\n");
  expect_candidates("tape ls -- --l", "@dirs\n");
  expect_candidates("gc -", "--json\n--store\n--key-file\n--help\n");
  expect_candidates("run --mode re", "record\nreplay\n");
  expect_candidates("run --mode replay --sto", "--store\n--store-size\n");
  expect_candidates("run --log ''", "stderr\n@files\n");
  expect_candidates("record -o ''", "@dirs\n");
  expect_candidates("tape ls ''", "@dirs\n");
  expect_candidates("tape show dir ''", "");
  expect_candidates("run -- ''", "@program 2\n");
  expect_candidates("run --scope x env -", "@program 3\n");
  expect_candidates("replay ''", "@dirs\n");
  expect_candidates("replay dir -- curl --re", "@program 3\n");
}

static void expect_of_shell(const char *script, const char *expected)
{
  struct run r = run_shell_plain(&w, script);
  expect_success(&r);
  cr_expect_str_eq(r.out, expected, "%s%s", r.out, r.err);
  run_release(&r);
}

Test(cli_installed, bash_offers_it)
{
  static const char script[] =
      "bash -c '. completions/idemshim.bash; complete -p idemshim; at() { COMP_WORDS=(idemshim \"$@\"); "
      "COMP_CWORD=$#; _idemshim idemshim \"${COMP_WORDS[-1]}\"; printf \"%%s\\n\" \"${COMPREPLY[@]}\"; }; "
      "at tape l; at run --mode o; mkdir \"$HOME/a b\"; at tape verify \"$HOME/a\"; "
      "at run -- gzi' 2>/dev/null | sed \"s,$HOME,HOME,\" | sort -u";
  expect_of_shell(world_text(&w, script),
                  "HOME/a b\ncomplete -F _idemshim idemshim\ngzip\nls\nobserve\noff\n");
}

/* Typed at an interactive shell: the line that was completed is run. */
Test(cli_installed, zsh_offers_it)
{
  static const char typed[] = "zmodload zsh/zpty\n"
                              "zpty z 'TERM=xterm zsh -f -i' || exit 78\n"
                              "zpty -w z \"fpath=($HOME/f \\$fpath); autoload -U compinit; compinit -D -u\"\n"
                              "zpty -w z \"bindkey '^I' complete-word\"\n"
                              "zpty -w -n z $'idemshim tape ver\\t\\n'\n"
                              "zpty -w z exit\n"
                              "while zpty -r z line; do print -r -- $line; done\n";
  world_write(&w, "typed", typed, strlen(typed));
  struct run r =
      run_shell_plain(&w, "command -v zsh >/dev/null || exit 77; mkdir \"$HOME/f\"; "
                          "cp completions/idemshim.zsh \"$HOME/f/_idemshim\"; zsh -f \"$HOME/typed\"");
  if (r.status == 77)
    cr_skip_test("zsh is not installed");
  if (r.status == 78)
    cr_skip_test("no terminal can be made here");
  cr_expect(strstr(r.out, "idemshim: tape verify: an operand is missing"), "%s%s", r.out, r.err);
  run_release(&r);
}

Test(cli_installed, fish_offers_it)
{
  struct run r = run_shell_plain(&w, "command -v fish >/dev/null || exit 77; fish --no-config -c '"
                                     "source completions/idemshim.fish; complete -C \"idemshim tape ver\"; "
                                     "complete -C \"idemshim run --mode re\"' | cut -f 1");
  if (r.status == 77)
    cr_skip_test("fish is not installed");
  cr_expect_str_eq(r.out, "verify\nrecord\nreplay\n", "%s%s", r.out, r.err);
  run_release(&r);
}
