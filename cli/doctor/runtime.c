/* SPDX-License-Identifier: MIT */
/* How a program makes its calls: through a libcurl that it links or opens, in other people's code that it
 * runs (Python, PHP, a shell), or by an HTTP stack of its own. */
#include "cli/doctor/doctor.h"

#include <ctype.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program that runs code of others. Its libraries say little about what that code will do. */
struct runtime {
  const char *name;
  const char *own_stack; /* what its code usually calls instead; NULL: nothing to tell */
  const char *ffi;       /* how its code opens libcurl without a module; NULL: it cannot */
};

/* A runtime is known by the program's name, which may have a version behind it. */
static const struct runtime runtimes[] = {
    {"python", "urllib, requests, httpx and the SDKs made on them (openai, anthropic)", "ctypes, cffi"},
    {"pypy", "urllib, requests, httpx and the SDKs made on them (openai, anthropic)", "ctypes, cffi"},
    {"php", NULL, "FFI"},
    {"perl", "LWP, HTTP::Tiny and Mojolicious", "FFI::Platypus"},
    {"ruby", "Net::HTTP and what is made on it", "fiddle, ffi"},
    {"luajit", "LuaSocket", "ffi"},
    {"lua", "LuaSocket", NULL},
    {"tclsh", "Tcl's http package", NULL},
    {"Rscript", NULL, NULL},
    {"R", NULL, NULL},
    {"node", "fetch(), http and the SDKs made on them", "koffi, ffi-napi"},
    {"deno", "fetch() and the SDKs made on it", "Deno.dlopen"},
    {"bun", "fetch() and the SDKs made on it", "bun:ffi"},
    {"java", "HttpClient, OkHttp and the SDKs made on them", "JNA, java.lang.foreign"},
    {"julia", NULL, "ccall"},
};

/* Where modules that call libcurl are; "{}" is the prefix that the runtime is installed below. Without a file
 * that is linked with libcurl (`ffi`), the module's being there is enough. */
static const struct {
  const char *runtime, *name, *pattern;
  bool ffi;
} modules[] = {
    {"python", "pycurl", "{}/lib/python3/dist-packages/pycurl*.so", false},
    {"python", "pycurl", "{}/lib/python3*/site-packages/pycurl*.so", false},
    {"python", "curl_cffi", "{}/lib/python3*/site-packages/curl_cffi/_wrapper*.so", false},
    {"pypy", "pycurl", "{}/lib/pypy3*/site-packages/pycurl*.so", false},
    {"php", "curl", "{}/lib/php/*/curl.so", false},
    {"php", "curl", "{}/lib/php/extensions/*/curl.so", false},
    {"php", "pecl_http", "{}/lib/php/*/http.so", false},
    {"perl", "WWW::Curl", "{}/lib/*/perl5/*/auto/WWW/Curl/Curl.so", false},
    {"perl", "Net::Curl", "{}/lib/*/perl5/*/auto/Net/Curl/Curl.so", false},
    {"ruby", "curb", "{}/lib/*/ruby/vendor_ruby/*/curb_core.so", false},
    {"ruby", "curb", "/var/lib/gems/*/gems/curb-*/lib/curb_core.so", false},
    {"ruby", "ethon/typhoeus", "{}/share/rubygems-integration/all/gems/ethon-*", true},
    {"ruby", "ethon/typhoeus", "/var/lib/gems/*/gems/ethon-*", true},
    {"ruby", "ethon/typhoeus", "{}/lib/ruby/gems/*/gems/ethon-*", true},
    {"lua", "lua-curl", "{}/lib/*/lua/5.*/*[cC][uU][rR][lL].so", false},
    {"luajit", "lua-curl", "{}/lib/*/lua/5.1/*[cC][uU][rR][lL].so", false},
    {"tclsh", "TclCurl", "{}/lib/tcltk/*/*/libTclCurl*.so", false},
    {"tclsh", "TclCurl", "{}/lib/tcltk/TclCurl*/*TclCurl*.so", false},
    {"R", "curl, httr", "{}/lib/R/site-library/curl/libs/curl.so", false},
    {"R", "curl, httr", "{}/local/lib/R/site-library/curl/libs/curl.so", false},
    {"R", "RCurl", "{}/lib/R/site-library/RCurl/libs/RCurl.so", false},
    {"R", "R's own libcurl", "{}/lib/R/modules/internet.so", false},
    {"node", "node-libcurl", "./node_modules/node-libcurl/lib/binding/node_libcurl.node", false},
    {"node", "koffi", "./node_modules/koffi", true},
};

/* Programs whose work is to start others. */
static const char *const starters[] = {
    "sh",   "bash",   "dash",  "zsh",   "ksh",  "fish",   "busybox", "env",     "nice", "timeout",
    "make", "setsid", "xargs", "nohup", "sudo", "stdbuf", "chroot",  "unshare", "find", "parallel",
};

/* Not basename(3), which may write to its argument. */
static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* "python3.11" is "python"; "pythonize" is not. */
static bool is_version_of(const char *program, const char *name)
{
  size_t len = strlen(name);
  return strncmp(program, name, len) == 0 && strspn(program + len, "0123456789.-") == strlen(program + len);
}

/* NULL for a program that runs its own code alone. */
static const struct runtime *find_runtime(const char *program)
{
  for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
    if (is_version_of(program, runtimes[i].name))
      return &runtimes[i];
  return NULL;
}

/* ---- modules on the disk ---- */

/* A module is on the disk, and may or may not be loaded by the code that will run: at most
 * "maybe". */
static void judge_use(struct doctor *doctor, const char *name, const struct cli_objects *objects,
                      const struct doctor_use *use, bool deep)
{
  struct doctor_libcurl libcurl = doctor_read_libcurl(use->libcurl);
  if (deep && !doctor->hooks.dlopen)
    doctor_find(doctor, DOCTOR_MODULE_DEEP, "%s", name);
  else if (use->easy || (use->multi && doctor->hooks.multi))
    doctor_find(doctor, DOCTOR_MODULE, "%s (libcurl %s, %s)", name, libcurl.version, libcurl.tls);
  else if (use->multi)
    doctor_find(doctor, DOCTOR_MODULE_MULTI, "%s", name);
  if (use->easy && use->multi && !doctor->hooks.multi)
    doctor_find(doctor, DOCTOR_MULTI_TOO, "%s", objects->list[0].name);
}

/* A module brings what it needs with it, so it is followed like a program. */
static void look_at_module(struct doctor *doctor, const char *name, const char *path, bool deep)
{
  struct cli_objects objects = {0};
  if (cli_objects_add(&objects, path) == 0) {
    cli_objects_follow(&objects);
    struct doctor_use use = doctor_use_of(&objects);
    if (use.libcurl && use.caller)
      judge_use(doctor, name, &objects, &use, deep);
    else if (!use.libcurl && doctor_find_version(&objects.list[0].elf))
      doctor_find(doctor, DOCTOR_MODULE_OWN, "%s", name);
  }
  cli_objects_release(&objects);
}

/* ---- a runtime's modules ---- */

/* The directory above the one that a program is in. */
static bool prefix_of(const char *program, char out[PATH_MAX])
{
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s", program);
  char *directory = dirname(path), *above = strrchr(directory, '/');
  if (!above)
    return false;
  *above = '\0';
  snprintf(out, PATH_MAX, "%s", directory);
  return true;
}

/* Each file that the pattern finds is a module that may be used. One that opens libcurl by name is reached by
 * the hooks of dlopen and dlsym alone. */
static void look_in(struct doctor *doctor, size_t module, const char *prefix)
{
  const char *name = modules[module].name, *hole = strstr(modules[module].pattern, "{}");
  char pattern[PATH_MAX + 128];
  glob_t found;
  snprintf(pattern, sizeof(pattern), "%s%s", hole ? prefix : "", hole ? hole + 2 : modules[module].pattern);
  if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
    return;
  for (size_t i = 0; i < found.gl_pathc; i++)
    if (!modules[module].ffi)
      look_at_module(doctor, name, found.gl_pathv[i], strcmp(modules[module].runtime, "php") == 0);
    else if (doctor->hooks.dlsym)
      doctor_find(doctor, DOCTOR_MODULE, "%s (through the dlopen/dlsym hooks)", name);
    else
      doctor_find(doctor, DOCTOR_FFI_MISSED, "%s", name);
  globfree(&found);
}

/* A virtual environment's program is a link to the system's, and both places count. */
static void look_at_modules(struct doctor *doctor, const struct runtime *runtime)
{
  char prefix[PATH_MAX], *real = realpath(doctor->program.path, NULL);
  const char *family = strcmp(runtime->name, "Rscript") == 0 ? "R" : runtime->name;
  for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
    if (strcmp(modules[i].runtime, family) != 0)
      continue;
    if (prefix_of(doctor->program.path, prefix))
      look_in(doctor, i, prefix);
    if (real && prefix_of(real, prefix))
      look_in(doctor, i, prefix);
  }
  free(real);
}

/* Sections that Go's linker leaves even in a program that has been stripped. */
static const char *const go_sections[] = {".go.buildinfo", ".note.go.buildid"};

/* Rust's panics name the source files of its libraries. */
static const struct {
  const char *trace, *name;
} rust_crates[] = {
    {"/reqwest-", "reqwest"},
    {"/hyper-", "hyper"},
    {"/ureq-", "ureq"},
    {"/attohttpc-", "attohttpc"},
};

/* Only the program itself is looked at: a library in Go or Rust says nothing about how the
 * program makes its calls. */
static void look_at_stack(struct doctor *doctor)
{
  const struct cli_object *program = &doctor->objects.list[0];
  for (size_t i = 0; i < sizeof(go_sections) / sizeof(go_sections[0]); i++)
    if (cli_elf_has_section(&program->elf, go_sections[i])) {
      doctor_find(doctor, DOCTOR_GO, "%s", program->name);
      return;
    }
  if (!cli_elf_find(&program->elf, "/rustc/"))
    return;
  for (size_t i = 0; i < sizeof(rust_crates) / sizeof(rust_crates[0]); i++)
    if (cli_elf_find(&program->elf, rust_crates[i].trace)) {
      doctor_find(doctor, DOCTOR_RUST, "%s", rust_crates[i].name);
      return;
    }
}

/* A program may be a link to one with another name; what R is called by is a script of the shell.
 * For a program that runs code of others (Python, PHP, a shell), its own libraries say little.
 * What that code may use is looked for where the runtime would look: modules that bring libcurl,
 * ways to open it by name, and HTTP stacks that do without it. */
static void look_at_runtime(struct doctor *doctor)
{
  char *real = realpath(doctor->program.path, NULL);
  const char *script = base_name(doctor->program.script);
  const char *const names[] = {strcmp(script, "R") == 0 ? script : "", base_name(doctor->program.path),
                               base_name(real ? real : "")};
  const struct runtime *runtime = NULL;
  bool starter = false;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    runtime = runtime ? runtime : find_runtime(names[i]);
    for (size_t k = 0; k < sizeof(starters) / sizeof(starters[0]); k++)
      starter |= strcmp(starters[k], names[i]) == 0;
  }
  free(real);
  if (!runtime && starter)
    doctor_find(doctor, DOCTOR_STARTER, "%s", base_name(doctor->program.path));
  if (!runtime)
    return;
  look_at_modules(doctor, runtime);
  if (runtime->ffi)
    doctor_find(doctor, doctor->hooks.dlsym ? DOCTOR_FFI : DOCTOR_FFI_MISSED, "%s", runtime->ffi);
  if (runtime->own_stack)
    doctor_find(doctor, DOCTOR_OWN_STACK, "%s", runtime->own_stack);
  if (strcmp(runtime->name, "php") == 0)
    doctor_find(doctor, DOCTOR_PHP_STREAMS, "%s", "");
}

/* Nothing can be said of a program that is made for another machine. */
void doctor_look_at_calls(struct doctor *doctor)
{
  if (doctor->objects.list->elf.foreign)
    return;
  doctor_look_at_libcurl(doctor);
  look_at_stack(doctor);
  look_at_runtime(doctor);
}
