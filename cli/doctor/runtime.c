/* SPDX-License-Identifier: MIT */
/* How a program makes its calls: through a libcurl that it links or opens, in other people's code that it
 * runs (Python, PHP, a shell), or by an HTTP stack of its own. */
#include "cli/doctor/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program that runs code of others. Its libraries say little about what that code will do. */
struct runtime {
  const char *name;
  const char *own_stack; /* what its code usually calls instead; NULL: nothing to tell */
  const char *ffi;       /* how its code calls any library, libcurl too; NULL: not without a module */
  const char *tls;       /* the file without which that stack has no https; NULL: it has it always */
  bool only;             /* its modules of libcurl are the way in which its code makes a call */
};

/* A runtime is known by the program's name, which may have a version behind it. */
static const struct runtime runtimes[] = {
    {"python", "urllib, requests, httpx and the SDKs made on them (openai, anthropic)", "ctypes", "_ssl.",
     false},
    {"pypy", "urllib, requests, httpx and the SDKs made on them (openai, anthropic)", "cffi, ctypes", "_ssl",
     false},
    {"php", NULL, NULL, NULL, false},
    {"php-fpm", NULL, NULL, NULL, false},
    {"php-cgi", NULL, NULL, NULL, false},
    {"perl", "LWP, HTTP::Tiny and Mojolicious", NULL, "SSLeay.so", false},
    {"ruby", "Net::HTTP and what is made on it", "fiddle", "openssl.so", false},
    {"luajit", "LuaSocket", "ffi", "ssl.so", false},
    {"lua", "LuaSocket", NULL, "ssl.so", false},
    {"tclsh", "Tcl's http package", NULL, NULL, false},
    {"Rscript", NULL, NULL, NULL, true},
    {"R", NULL, NULL, NULL, true},
    {"node", "fetch(), http and the SDKs made on them", NULL, NULL, false},
    {"deno", "fetch() and the SDKs made on it", "Deno.dlopen", NULL, false},
    {"bun", "fetch() and the SDKs made on it", "bun:ffi", NULL, false},
    {"java", "HttpClient, OkHttp and the SDKs made on them", "java.lang.foreign, JNA", NULL, false},
    {"dotnet", "HttpClient and the SDKs made on it", "P/Invoke", NULL, false},
    {"julia", NULL, "ccall, and its Downloads by way of it", NULL, false},
    {"slsh", NULL, NULL, NULL, true},
    {"guile", "(web client)", "(system foreign)", NULL, false},
    {"racket", "net/http-client, net/url", "ffi/unsafe", NULL, false},
    {"sbcl", "Drakma, Dexador", "sb-alien, CFFI", NULL, false},
    {"ecl", "Drakma, Dexador", "CFFI", NULL, false},
    {"gbr", NULL, NULL, NULL, true},
    {"gbx", NULL, NULL, NULL, true},
    {"cobcrun", NULL, "CALL of a function of a library that COB_PRE_LOAD or -M names", NULL, false},
    {"gst", NULL, "DLD", NULL, false},
};

/* Where modules that call libcurl are; "{}" is the prefix that the runtime is installed below. Without a file
 * that is linked with libcurl (`ffi`), the module's being there is enough. */
static const struct {
  const char *runtime, *name, *pattern;
  bool ffi;
} modules[] = {
    /* Four places: a package of Debian; a virtual environment, or any other system; pip as root on Debian;
     * pip --user. */
    {"python", "pycurl", "{}/lib/python3/dist-packages/pycurl*.so", false},
    {"python", "pycurl", "{}/lib/python3*/site-packages/pycurl*.so", false},
    {"python", "pycurl", "{}/local/lib/python3*/dist-packages/pycurl*.so", false},
    {"python", "pycurl", "~/.local/lib/python3*/site-packages/pycurl*.so", false},
    {"python", "curl_cffi", "{}/lib/python3*/site-packages/curl_cffi/_wrapper*.so", false},
    {"python", "curl_cffi", "{}/local/lib/python3*/dist-packages/curl_cffi/_wrapper*.so", false},
    {"python", "curl_cffi", "~/.local/lib/python3*/site-packages/curl_cffi/_wrapper*.so", false},
    {"pypy", "pycurl", "{}/lib/pypy3*/site-packages/pycurl*.so", false},
    /* extension_dir has the date of PHP's interface as its last part, on Debian, and below extensions/ where
     * PHP was built from source, as in its images. */
    {"php", "curl", "{}/lib/php/*/curl.so", false},
    {"php", "curl", "{}/lib/php/extensions/*/curl.so", false},
    {"php", "pecl_http", "{}/lib/php/*/http.so", false},
    /* It takes libcurl by dlsym(), which the hook answers. */
    {"php", "FFI", "{}/lib/php/*/ffi.so", true},
    {"php", "FFI", "{}/lib/php/extensions/*/ffi.so", true},
    /* A module in Perl, so there is no object to look into. */
    {"perl", "FFI::Platypus", "{}/lib/*/perl5/*/FFI/Platypus.pm", true},
    {"perl", "FFI::Platypus", "{}/local/lib/*/perl/*/FFI/Platypus.pm", true},
    {"perl", "WWW::Curl", "{}/lib/*/perl5/*/auto/WWW/Curl/Curl.so", false},
    {"perl", "Net::Curl", "{}/lib/*/perl5/*/auto/Net/Curl/Curl.so", false},
    /* vendor_ruby and rubygems-integration are Debian's, the others gem's. */
    {"ruby", "curb", "{}/lib/*/ruby/vendor_ruby/*/curb_core.so", false},
    {"ruby", "curb", "{}/lib/*/rubygems-integration/*/extensions/*/*/curb-*/curb_core.so", false},
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
    /* Below the directory in which the doctor is asked: node looks beside the script, which is not known. */
    {"node", "node-libcurl", "./node_modules/node-libcurl/lib/binding/node_libcurl.node", false},
    {"node", "koffi", "./node_modules/koffi", true},
    {"node", "ffi-napi", "./node_modules/ffi-napi", true},
    {"slsh", "slang-curl", "{}/lib/*/slang/v2/modules/curl-module.so", false},
    {"slsh", "slang-curl", "{}/lib/slang/v2/modules/curl-module.so", false},
    {"gbr", "gb.net.curl", "{}/lib/*/gambas3/gb.net.curl.so", false},
    {"gbr", "gb.net.curl", "{}/lib/gambas3/gb.net.curl.so", false},
    {"gbx", "gb.net.curl", "{}/lib/*/gambas3/gb.net.curl.so", false},
    {"gbx", "gb.net.curl", "{}/lib/gambas3/gb.net.curl.so", false},
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

/* The rows of "Rscript" are R's, and those of php's servers are php's. */
static void look_at_modules(struct doctor *doctor, const struct runtime *runtime)
{
  const char *family = strcmp(runtime->name, "Rscript") == 0               ? "R"
                       : strncmp(runtime->name, "php", strlen("php")) == 0 ? "php"
                                                                           : runtime->name;
  for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
    /* PHP opens its extensions with RTLD_DEEPBIND. */
    if (strcmp(modules[i].runtime, family) == 0)
      doctor_look_at_module(doctor, &(struct doctor_module){.name = modules[i].name,
                                                            .pattern = modules[i].pattern,
                                                            .ffi = modules[i].ffi,
                                                            .deep = strcmp(family, "php") == 0,
                                                            .only = runtime->only});
}

/* ---- a language inside ---- */

/* By the beginning of its library's name. */
static const struct {
  const char *library, *language;
} languages[] = {
    {"libpython3", "Python"}, {"libphp", "PHP"},       {"libperl.", "Perl"},    {"libruby", "Ruby"},
    {"libluajit", "Lua"},     {"liblua5", "Lua"},      {"libguile-", "Guile"},  {"libtcl", "Tcl"},
    {"libcob.", "COBOL"},     {"libR.", "R"},          {"libjvm.", "Java"},     {"libnode.", "JavaScript"},
    {"libjulia.", "Julia"},   {"libcoreclr.", ".NET"}, {"libhostfxr.", ".NET"}, {"libmonosgen", ".NET"},
    {"libslang.", "S-Lang"},
};

static void look_for_language(struct doctor *doctor, const char *library, const char *user)
{
  for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
    if (strncmp(library, languages[i].library, strlen(languages[i].library)) == 0)
      doctor_find(doctor, DOCTOR_EMBEDS, "%s runs code in %s", user, languages[i].language);
}

void doctor_look_at_language(struct doctor *doctor, const struct cli_object *object)
{
  const char *needed;
  look_for_language(doctor, object->name, object->name);
  for (size_t n = 0; (needed = cli_elf_dynamic_text(&object->elf, DT_NEEDED, n)); n++)
    look_for_language(doctor, needed, object->name);
}

/* ---- an HTTP stack of its own ---- */

/* Sections that Go's linker leaves even in a program that has been stripped. */
static const char *const go_sections[] = {".go.buildinfo", ".note.go.buildid"};

static const char *const rust_crates[] = {"reqwest", "hyper", "ureq", "attohttpc"};

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
  /* Rust's panics name the source files of its libraries. The name is put together here, so that it is not
   * in this very program. */
  for (size_t i = 0; i < sizeof(rust_crates) / sizeof(rust_crates[0]); i++) {
    char file[32];
    snprintf(file, sizeof(file), "/%s-", rust_crates[i]);
    if (cli_elf_find(&program->elf, file)) {
      doctor_find(doctor, DOCTOR_RUST, "%s", rust_crates[i]);
      return;
    }
  }
}

/* The beginning is enough: a version may stand behind it. */
static bool has_loaded(const struct doctor *doctor, const char *beginning)
{
  for (size_t i = 0; i < doctor->objects.count; i++)
    if (strncmp(doctor->objects.list[i].name, beginning, strlen(beginning)) == 0)
      return true;
  return false;
}

/* A program may be a link to one with another name; what R is called by is a script of the shell.
 * For a program that runs code of others (Python, PHP, a shell), its own libraries say little.
 * What that code may use is looked for where the runtime would look: modules that bring libcurl,
 * ways to open it by name, and HTTP stacks that do without it. False if it is no such program. */
static bool look_at_runtime(struct doctor *doctor)
{
  char *real = realpath(doctor->program.path, NULL);
  const char *script = base_name(doctor->program.script);
  /* By all of its names: python is a link to python3.11, and busybox goes by what it is called by. */
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
  /* What a starter is linked with makes no call, so that nothing else is said of it. */
  if (!runtime)
    return starter;
  look_at_modules(doctor, runtime);
  /* Calls that were counted have come, by whatever way: nothing is left open. */
  if (runtime->ffi && !doctor->counted)
    doctor_find(doctor, doctor->hooks.dlsym ? DOCTOR_FFI : DOCTOR_FFI_MISSED, "%s", runtime->ffi);
  if (runtime->own_stack && doctor->pid && runtime->tls && !has_loaded(doctor, runtime->tls))
    doctor_find(doctor, DOCTOR_OWN_STACK_IDLE, "%s", runtime->own_stack);
  else if (runtime->own_stack)
    doctor_find(doctor, DOCTOR_OWN_STACK, "%s", runtime->own_stack);
  if (strncmp(runtime->name, "php", strlen("php")) == 0)
    doctor_find(doctor, DOCTOR_PHP_STREAMS, "%s", "");
  return true;
}

/* Nothing can be said of a program that is made for another machine. */
void doctor_look_at_calls(struct doctor *doctor)
{
  if (doctor->objects.list->elf.foreign)
    return;
  doctor_look_at_libcurl(doctor);
  doctor_look_at_versions(doctor);
  look_at_stack(doctor);
  if (look_at_runtime(doctor))
    return;
  for (size_t i = 0; i < doctor->objects.count; i++)
    /* A program that is no runtime by its name may have one linked to it, as gdb has Python. */
    look_for_language(doctor, doctor->objects.list[i].name, "it");
  doctor_look_at_plugins(doctor);
}
