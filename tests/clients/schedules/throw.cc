/* SPDX-License-Identifier: MIT */
/* The exceptions of C++ through libcurl. */
extern "C" int catch_exception(void (*run)(void *), void *arg)
{
  try {
    run(arg);
  } catch (int) {
    return 1;
  }
  return 0;
}

extern "C" void throw_exception()
{
  throw 1;
}
