/* SPDX-License-Identifier: MIT */
/*
 * hook: how a libcurl function is exported by the shim. An export decides whether a call is ours or libcurl's
 * own, and does little else; what becomes of it then is engine/'s.
 */
#ifndef IDEMSHIM_SHIM_HOOK_H
#define IDEMSHIM_SHIM_HOOK_H

/*
 * HOOK(CURLcode, curl_easy_perform, (CURL *handle)) { ... } defines the exported curl_easy_perform under a
 * name of our own: curl.h declares setopt and getinfo with variable arguments, but every caller passes one
 * pointer-sized argument in a register, which a function with three parameters takes without the cost of a
 * va_list (x86-64 System V and AAPCS64 agree on that).
 */
#define HOOK(type, name, parameters)                                                                         \
  __attribute__((visibility("default"))) type hook_##name parameters __asm__(#name);                         \
  type hook_##name parameters

#define CALLER __builtin_return_address(0)

#endif
