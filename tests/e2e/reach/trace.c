/* SPDX-License-Identifier: MIT */
#include "tests/e2e/reach/trace.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How often a program is run without us, and with us, before what differs counts. */
#define RUNS 6

struct trace {
  char **line; /* sorted */
  size_t count;
  size_t preloads; /* how often the loader opened our library */
  bool threads;    /* the program has more than one */
};

/* How often these are called is up to the arrival of an answer, to children, to chance (glibc may draw the
 * name of a temporary file twice) and to where memory happens to lie: it differs between two runs without us.
 * Counted is only whether they are. */
static const char *const up_to_time[] = {
    "brk(",
    "clock_gettime(",
    "epoll_ctl(",
    "epoll_wait(",
    "getpid(",
    "getrandom(",
    "mmap(NULL, N, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS",
    "munmap(",
    "poll(",
    "pselect6(",
    "recvfrom(",
    "rt_sigaction(SIGPIPE",
    "rt_sigreturn(",
    "select(",
    "wait4(",
};

/* And whether threads have to wait for each other is up to them; in programs without, it counts. */
static const char *const up_to_threads[] = {"futex(", "ppoll(", "sched_yield("};

/* What the loader does with our library between opening and closing it, and what we do with a file that is
 * about to be opened with RTLD_DEEPBIND, to see whether it needs libcurl. */
static const char *const loading[] = {"openat(", "read(",   "pread64(",  "newfstatat(", "fstat(",
                                      "mmap(",   "munmap(", "mprotect(", "close("};
static const char our_library[] = "libidemshim.so\"",
                  our_look[] = ".so\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_CLOEXEC)";

/* What our constructor does, once for each library, in the one spelling of libc or the other. */
static const char *const constructor[] = {"fstat(2, {", "newfstatat(2, \"\", {"};

/* And later, once for each library: what was relocated becomes read only. */
static const char relocated[] = "mprotect(N, N, PROT_READ) = N";

static bool begins(const char *line, const char *with)
{
  return !strncmp(line, with, strlen(with));
}

static bool begins_with_one(const char *line, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (begins(line, words[i]))
      return true;
  return false;
}

#define BEGINS_WITH_ONE(line, words) begins_with_one(line, words, sizeof(words) / sizeof *(words))

/* Before glibc 2.34 our library brings two with it, so that the run without us has them, too; the first look
 * for a name wakes nobody; and in which directories there are no libraries is found out for the first of
 * them. */
#if __GLIBC_PREREQ(2, 34)
static const char without_us[] = "NO_PRELOAD=1";
static bool is_of_an_old_loader(const char *line)
{
  (void)line;
  return false;
}
#else
static const char without_us[] = "LD_PRELOAD=libpthread.so.0:libdl.so.2";
static bool is_of_an_old_loader(const char *line)
{
  return strstr(line, "futex(N, FUTEX_WAKE_PRIVATE, N)") == line ||
         (strstr(line, "stat(\"") == line && strstr(line, "S_IFDIR")) ||
         (strstr(line, ".so") && strstr(line, "ENOENT"));
}
#endif

/* Lines. */

static bool is_number(const char *at, const char *start)
{
  return isdigit((unsigned char)*at) && (at == start || (!isalnum((unsigned char)at[-1]) && at[-1] != '_'));
}

/* Names that are drawn at random: R's own directory, what git writes before it has a name; and the number of
 * a thread, by which Ruby gives it one. */
static const char *const drawn[] = {"/Rtmp", "/tmp_", "/task/"};

static const char *skip_drawn(const char *at)
{
  return BEGINS_WITH_ONE(at, drawn) ? at + strcspn(at, "\"") : at;
}

/* Leaves out numbers, and the blanks that strace aligns results with, in place. */
static void leave_out_numbers(char *line)
{
  bool quoted = false;
  char *to = line;

  for (const char *at = line; *at;) {
    at = quoted ? skip_drawn(at) : at;
    quoted ^= *at == '"';
    if (!quoted && is_number(at, line)) {
      at += strspn(at, "0123456789abcdefx");
      to -= to > line && to[-1] == '-';
      *to++ = 'N';
    } else if (*at != ' ' || to == line || to[-1] != ' ') {
      *to++ = *at++;
    } else {
      at++;
    }
  }
  *to = 0;
}

static void keep(struct trace *trace, const char *line)
{
  trace->line = realloc(trace->line, (trace->count + 1) * sizeof *trace->line);
  trace->line[trace->count] = strdup(line);
  if (!trace->line[trace->count++])
    cr_assert_fail("out of memory");
}

/* One file of strace: a process or a thread. */
struct reader {
  struct trace *trace;
  bool in_loading; /* our library, or a look at another, is open */
  size_t to_relocate, to_construct;
};

/* True for a line that the loader would not have caused without us. */
static bool is_loading(struct reader *reader, const char *line)
{
  bool ours = strstr(line, our_library), begun = ours || strstr(line, our_look);

  if (reader->in_loading && !BEGINS_WITH_ONE(line, loading))
    cr_assert_fail("while our library is being loaded: %s", line);
  if (begins(line, "openat(") && begun)
    reader->in_loading = true;
  reader->trace->preloads += ours;
  reader->to_relocate += ours;
  reader->to_construct += ours;
  begun = reader->in_loading;
  if (begins(line, "close("))
    reader->in_loading = false;
  return begun;
}

/* A call that a signal has interrupted comes again. */
static bool is_interrupted(const char *line)
{
  return strstr(line, " = ? ERESTART");
}

static void read_line(struct reader *reader, char *line)
{
  if (is_loading(reader, line) || is_interrupted(line))
    return;
  if (reader->to_construct && BEGINS_WITH_ONE(line, constructor)) {
    reader->to_construct--;
    return;
  }
  reader->trace->threads |= strstr(line, "CLONE_THREAD") != NULL;
  leave_out_numbers(line);
  if (reader->to_relocate && !strcmp(line, relocated))
    reader->to_relocate--;
  else
    keep(reader->trace, line);
}

static void read_file(struct trace *trace, const char *path)
{
  struct reader reader = {.trace = trace};
  char *text = file_read(path, NULL), *place = NULL;

  for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
    read_line(&reader, line);
  free(text);
}

/* Traces. */

static int by_text(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of what is up to time the name stays, which is then not counted, and of what is up to threads nothing. */
static void cut(struct trace *trace)
{
  size_t kept = 0;

  for (size_t i = 0; i < trace->count; i++) {
    char *line = trace->line[i];
    if (BEGINS_WITH_ONE(line, up_to_time))
      line[strcspn(line, "(")] = 0;
    if ((trace->threads && BEGINS_WITH_ONE(line, up_to_threads)) || is_of_an_old_loader(line))
      free(line);
    else
      trace->line[kept++] = line;
  }
  trace->count = kept;
}

static struct trace read_trace(const char *files)
{
  struct trace trace = {0};
  glob_t found;

  cr_assert_eq(glob(files, 0, NULL, &found), 0, "strace has left nothing in %s", files);
  for (size_t i = 0; i < found.gl_pathc; i++)
    read_file(&trace, found.gl_pathv[i]);
  globfree(&found);
  cut(&trace);
  qsort(trace.line, trace.count, sizeof *trace.line, by_text);
  return trace;
}

/* Each thread has a file of its own, so that none interrupts the line of another. */
static struct trace run_traced(struct world *w, bool shim, const char *const *argv)
{
  static unsigned serial;
  const char *output = world_text(w, "%s/trace.%u", w->dir, serial++);
  const char *preload = shim ? world_text(w, "LD_PRELOAD=%s/libidemshim.so", w->build) : without_us;
  const char *command[32] = {"strace", "-ff", "-qq",  "-e", "signal=none", "-s",
                             "0",      "-o",  output, "-E", preload};
  size_t n = 11;

  for (size_t i = 0; argv[i] && n < sizeof command / sizeof *command - 1; i++)
    command[n++] = argv[i];
  struct run run = run_argv(w, false, command);
  expect_success(&run);
  run_release(&run);
  return read_trace(world_text(w, "%s.*", output));
}

static void release(struct trace *trace)
{
  for (size_t i = 0; i < trace->count; i++)
    free(trace->line[i]);
  free(trace->line);
  *trace = (struct trace){0};
}

/* How often the line is in the trace, from `at` on. */
static size_t same(const struct trace *trace, size_t at, const char *line)
{
  size_t n = 0;

  while (at + n < trace->count && !strcmp(trace->line[at + n], line))
    n++;
  return n;
}

static bool is_counted(const char *line)
{
  return strchr(line, '(');
}

/* Several runs without us, and in each the place up to which it has been read. */
struct runs {
  struct trace trace[RUNS];
  size_t count, at[RUNS];
};

/* The least and the most often that a run without us has the line; they are read past it. */
static void read_past(struct runs *runs, const char *line, size_t *least, size_t *most)
{
  *least = SIZE_MAX;
  *most = 0;
  for (size_t i = 0; i < runs->count; i++) {
    size_t n = same(&runs->trace[i], runs->at[i], line);
    runs->at[i] += n;
    *least = n < *least ? n : *least;
    *most = n > *most ? n : *most;
  }
}

/* The line that is first of what no trace has been read past yet, or NULL. */
static const char *next_line(const struct runs *runs, const struct trace *shim, size_t at)
{
  const char *first = at < shim->count ? shim->line[at] : NULL;

  for (size_t i = 0; i < runs->count; i++) {
    const struct trace *plain = &runs->trace[i];
    if (runs->at[i] < plain->count && (!first || strcmp(plain->line[runs->at[i]], first) < 0))
      first = plain->line[runs->at[i]];
  }
  return first;
}

static char *difference_of(struct runs *plain, const struct trace *shim)
{
  size_t size, at = 0, least, most;
  char *text;
  FILE *out = open_memstream(&text, &size);

  memset(plain->at, 0, sizeof plain->at);
  for (const char *line; (line = next_line(plain, shim, at));) {
    size_t with = same(shim, at, line);
    read_past(plain, line, &least, &most);
    at += with;
    if (is_counted(line) ? with < least || with > most : with ? !most : least)
      fprintf(out, "%zu to %zu without us, %zu with us: %s\n", least, most, with, line);
  }
  fclose(out);
  if (size)
    return text;
  free(text);
  return NULL;
}

/* One more run of each. What they differ in, or NULL. */
static char *run_both(struct world *w, struct runs *plain, const char *const *argv)
{
  struct trace *without = &plain->trace[plain->count++], with;

  *without = run_traced(w, false, argv);
  with = run_traced(w, true, argv);
  cr_expect_eq(without->preloads, 0);
  cr_expect(with.preloads > 0);
  char *difference = difference_of(plain, &with);
  release(&with);
  return difference;
}

static char *compare(struct world *w, size_t runs, const char *const *argv)
{
  struct runs plain = {0};
  char *difference = run_both(w, &plain, argv);

  while (difference && plain.count < runs) {
    free(difference);
    difference = run_both(w, &plain, argv);
  }
  for (size_t i = 0; i < plain.count; i++)
    release(&plain.trace[i]);
  return difference;
}

char *trace_compare(struct world *w, const char *const *argv)
{
  return compare(w, 1, argv);
}

void expect_same_trace(struct world *w, const char *const *argv)
{
  char *difference = compare(w, RUNS, argv);

  cr_expect_null(difference, "%s", difference);
  free(difference);
}
