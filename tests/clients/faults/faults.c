/* SPDX-License-Identifier: MIT */
/*
 * faults: makes one call of ours into libc fail. To be preloaded behind libidemshim.so.
 *
 *     FAULT="enospc 17"  the 17th call that can fail so does, with ENOSPC; "enospc 17+": it and all that follow
 *     FAULT="enospc 0"   none does: how many there are
 *     FAULT_REPORT=FILE  gets a line when the program ends: "calls 123 descriptors 7 struck 1 pwrite liblmdb.so.0+0x1234"
 *     FAULT_STORE=DIR    what `gone` and `replaced` take away
 *
 * Calls are those of libidemshim.so, the store's object, the fleet's, and liblmdb alone: the slots through
 * which these call libc are set to the functions below, and those of the program and of libcurl are not. What
 * is opened late is seen by the slots of dlvsym() and dlopen().
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* What a call does, of which a fault may be. */
enum {
  READS = 1,
  WRITES = 2,
  GROWS = 4,      /* takes room on the disk */
  CHANGES = 8,    /* the directory or a file's mode */
  DESCRIBES = 16, /* gives a descriptor */
  ALLOCATES = 32,
  MAPS = 64,
  LOCKS = 128,
  FLUSHES = 256,
  WAITS = 512,
  TELLS_TIME = 1024,
  IS_PARTIAL = 2048, /* may do less than it was asked for */
  IS_READ = 4096,    /* the same, of a file and by us: LMDB takes a short read for damage */
  FILES = READS | WRITES | GROWS | CHANGES | MAPS | LOCKS | FLUSHES,
};

enum special { ERROR, SHORT, DAY_ON, DAY_BACK, GONE, REPLACED };

static const struct fault {
  const char *name;
  int calls, code;
  enum special special;
} faults[] = {
    {"enospc", GROWS | FLUSHES, ENOSPC, ERROR},
    {"edquot", GROWS | FLUSHES, EDQUOT, ERROR},
    {"eio", READS | WRITES | FLUSHES | CHANGES, EIO, ERROR},
    {"erofs", CHANGES | GROWS, EROFS, ERROR},
    {"emfile", DESCRIBES, EMFILE, ERROR},
    {"enfile", DESCRIBES, ENFILE, ERROR},
    {"enomem", ALLOCATES | MAPS, ENOMEM, ERROR},
    {"eperm", MAPS | CHANGES | DESCRIBES, EPERM, ERROR},
    {"enolck", LOCKS, ENOLCK, ERROR},
    {"fsync", FLUSHES, EIO, ERROR},
    {"eintr", WAITS, EINTR, ERROR},
    {"short", IS_PARTIAL, 0, SHORT},
    {"short_reads", IS_READ, 0, SHORT},
    {"day_on", TELLS_TIME, 0, DAY_ON},
    {"day_back", TELLS_TIME, 0, DAY_BACK},
    {"gone", FILES, 0, GONE},
    {"replaced", FILES, 0, REPLACED},
};

static const struct fault *fault;
static unsigned long at;
static bool and_all_after;
static _Atomic unsigned long calls;
static _Atomic unsigned struck;
static _Atomic long days;
static pid_t of_whom;
static char where[256];

static void note(const char *name, const void *caller)
{
  Dl_info info = {0};
  if (atomic_fetch_add(&struck, 1) || !dladdr(caller, &info) || !info.dli_fname)
    return;
  const char *slash = strrchr(info.dli_fname, '/');
  snprintf(where, sizeof where, "%s %s+%#lx", name, slash ? slash + 1 : info.dli_fname,
           (unsigned long)((uintptr_t)caller - (uintptr_t)info.dli_fbase));
}

/* The store is taken away under whoever has it open; `replaced`: an empty one stands in its place. */
static void take_store_away(void)
{
  const char *store = getenv("FAULT_STORE");
  char away[512];
  if (!store || snprintf(away, sizeof away, "%s.gone", store) >= (int)sizeof away)
    return;
  if (rename(store, away) == 0 && fault->special == REPLACED)
    mkdir(store, 0700);
}

/* True: this call is to fail. */
static bool strikes(int kinds, const char *name, const void *caller)
{
  if (!fault || !(fault->calls & kinds))
    return false;
  int saved = errno;
  unsigned long number = atomic_fetch_add(&calls, 1) + 1;
  bool this = at && (number == at || (and_all_after && number > at));
  if (this)
    note(name, caller);
  if (this && (fault->special == GONE || fault->special == REPLACED) && number == at)
    take_store_away();
  if (this && number == at && fault->special == DAY_ON)
    days = 1;
  if (this && number == at && fault->special == DAY_BACK)
    days = -1;
  errno = saved;
  return this && (fault->special == ERROR || fault->special == SHORT);
}

/* The error; what is short is so by half, of which one byte has none. */
static bool fails(int kinds, const char *name, const void *caller)
{
  if (!strikes(kinds, name, caller) || fault->special == SHORT)
    return false;
  errno = fault->code;
  return true;
}

static bool is_of_lmdb(const void *caller)
{
  Dl_info info = {0};
  return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "liblmdb");
}

#define CALLER __builtin_return_address(0)

/* KINDS of what FUNCTION does; FAILED is what it returns then, with errno set. */
#define PLAIN(function, type, kinds, failed, parameters, arguments)                                          \
  static type ours_##function parameters                                                                     \
  {                                                                                                          \
    return fails(kinds, #function, CALLER) ? (failed) : function arguments;                                  \
  }

/* Returns the error. */
#define TELLING(function, kinds, parameters, arguments)                                                      \
  static int ours_##function parameters                                                                      \
  {                                                                                                          \
    int saved = errno;                                                                                       \
    bool bad = fails(kinds, #function, CALLER);                                                              \
    int code = errno;                                                                                        \
    errno = saved;                                                                                           \
    return bad ? code : function arguments;                                                                  \
  }

/* Moves `len` bytes or fewer. */
#define MOVING(function, kinds, parameters, arguments)                                                       \
  static ssize_t ours_##function parameters                                                                  \
  {                                                                                                          \
    if (fault && fault->special == SHORT) {                                                                  \
      if (len > 1 &&                                                                                         \
          strikes(IS_PARTIAL | ((kinds)&READS && !is_of_lmdb(CALLER) ? IS_READ : 0), #function, CALLER))     \
        len = (len + 1) / 2;                                                                                 \
    } else if (fails(kinds, #function, CALLER)) {                                                            \
      return -1;                                                                                             \
    }                                                                                                        \
    return function arguments;                                                                               \
  }

/* A full disk is none to a pipe, a terminal or a socket; nor to stderr, which the tests read from a file. */
static int grows(int fd)
{
  struct stat st;
  return fd != STDERR_FILENO && (fstat(fd, &st) != 0 || S_ISREG(st.st_mode)) ? GROWS : 0;
}

MOVING(read, READS | WAITS, (int fd, void *data, size_t len), (fd, data, len))
MOVING(pread, READS | WAITS, (int fd, void *data, size_t len, off_t off), (fd, data, len, off))
MOVING(write, WRITES | grows(fd) | WAITS, (int fd, const void *data, size_t len), (fd, data, len))
MOVING(pwrite, WRITES | GROWS | WAITS, (int fd, const void *data, size_t len, off_t off),
       (fd, data, len, off))

PLAIN(writev, ssize_t, WRITES | grows(fd), -1, (int fd, const struct iovec *v, int n), (fd, v, n))
PLAIN(preadv, ssize_t, READS, -1, (int fd, const struct iovec *v, int n, off_t off), (fd, v, n, off))
PLAIN(send, ssize_t, flags &MSG_DONTWAIT ? 0 : WAITS, -1, (int fd, const void *data, size_t len, int flags),
      (fd, data, len, flags))
PLAIN(recv, ssize_t, flags &MSG_DONTWAIT ? 0 : WAITS, -1, (int fd, void *data, size_t len, int flags),
      (fd, data, len, flags))
PLAIN(fsync, int, FLUSHES | WAITS, -1, (int fd), (fd))
PLAIN(fdatasync, int, FLUSHES | WAITS, -1, (int fd), (fd))
PLAIN(msync, int, FLUSHES, -1, (void *p, size_t len, int flags), (p, len, flags))
PLAIN(ftruncate, int, GROWS | WRITES | WAITS, -1, (int fd, off_t len), (fd, len))
PLAIN(mkdir, int, CHANGES | GROWS, -1, (const char *path, mode_t mode), (path, mode))
PLAIN(chmod, int, CHANGES, -1, (const char *path, mode_t mode), (path, mode))
PLAIN(fchmod, int, CHANGES, -1, (int fd, mode_t mode), (fd, mode))
PLAIN(link, int, CHANGES | GROWS, -1, (const char *from, const char *to), (from, to))
PLAIN(rename, int, CHANGES | GROWS, -1, (const char *from, const char *to), (from, to))
PLAIN(unlink, int, CHANGES, -1, (const char *path), (path))
PLAIN(unlinkat, int, CHANGES, -1, (int dir, const char *path, int flags), (dir, path, flags))
PLAIN(access, int, READS, -1, (const char *path, int mode), (path, mode))
PLAIN(opendir, DIR *, DESCRIBES | READS, NULL, (const char *path), (path))
PLAIN(fdopendir, DIR *, ALLOCATES, NULL, (int fd), (fd))
PLAIN(fopen, FILE *, DESCRIBES | READS, NULL, (const char *path, const char *mode), (path, mode))
PLAIN(socketpair, int, DESCRIBES, -1, (int a, int b, int c, int pair[2]), (a, b, c, pair))
PLAIN(eventfd, int, DESCRIBES, -1, (unsigned n, int flags), (n, flags))
PLAIN(dup3, int, DESCRIBES, -1, (int from, int to, int flags), (from, to, flags))
PLAIN(poll, int, WAITS, -1, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
PLAIN(nanosleep, int, WAITS, -1, (const struct timespec *t, struct timespec *rest), (t, rest))
PLAIN(getrandom, ssize_t, WAITS | READS, -1, (void *data, size_t len, unsigned flags), (data, len, flags))
PLAIN(mmap, void *, MAPS, MAP_FAILED, (void *p, size_t len, int prot, int flags, int fd, off_t off),
      (p, len, prot, flags, fd, off))
PLAIN(madvise, int, MAPS, -1, (void *p, size_t len, int what), (p, len, what))
PLAIN(malloc, void *, ALLOCATES, NULL, (size_t len), (len))
PLAIN(calloc, void *, ALLOCATES, NULL, (size_t n, size_t len), (n, len))
PLAIN(realloc, void *, ALLOCATES, NULL, (void *p, size_t len), (p, len))
PLAIN(reallocarray, void *, ALLOCATES, NULL, (void *p, size_t n, size_t len), (p, n, len))
PLAIN(aligned_alloc, void *, ALLOCATES, NULL, (size_t align, size_t len), (align, len))
PLAIN(strdup, char *, ALLOCATES, NULL, (const char *text), (text))
PLAIN(strndup, char *, ALLOCATES, NULL, (const char *text, size_t len), (text, len))
PLAIN(readlink, ssize_t, READS, -1, (const char *path, char *into, size_t len), (path, into, len))
PLAIN(fallocate, int, GROWS | WRITES | WAITS, -1, (int fd, int mode, off_t off, off_t len),
      (fd, mode, off, len))
PLAIN(fstatfs, int, READS | WAITS, -1, (int fd, struct statfs *into), (fd, into))
PLAIN(lseek, off_t, READS, -1, (int fd, off_t off, int from), (fd, off, from))
PLAIN(socket, int, DESCRIBES, -1, (int a, int b, int c), (a, b, c))
PLAIN(connect, int, READS | WAITS, -1, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
PLAIN(sendmsg, ssize_t, WRITES | WAITS, -1, (int fd, const struct msghdr *what, int flags), (fd, what, flags))
PLAIN(recvfrom, ssize_t, READS | WAITS, -1,
      (int fd, void *data, size_t len, int flags, struct sockaddr *from, socklen_t *size),
      (fd, data, len, flags, from, size))
PLAIN(ppoll, int, WAITS, -1, (struct pollfd * fds, nfds_t n, const struct timespec *t, const sigset_t *mask),
      (fds, n, t, mask))
PLAIN(timerfd_create, int, DESCRIBES, -1, (int clock, int flags), (clock, flags))
TELLING(posix_memalign, ALLOCATES, (void **p, size_t align, size_t len), (p, align, len))
TELLING(posix_fallocate, GROWS | WAITS, (int fd, off_t off, off_t len), (fd, off, len))
TELLING(pthread_create, ALLOCATES,
        (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
        (thread, attr, run, arg))
TELLING(pthread_mutex_init, ALLOCATES, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a))
TELLING(pthread_key_create, ALLOCATES, (pthread_key_t * key, void (*end)(void *)), (key, end))
TELLING(clock_nanosleep, WAITS, (clockid_t id, int flags, const struct timespec *t, struct timespec *rest),
        (id, flags, t, rest))

__attribute__((format(printf, 2, 3))) static int ours_asprintf(char **text, const char *format, ...)
{
  va_list args;
  if (fails(ALLOCATES, "asprintf", CALLER))
    return -1;
  va_start(args, format);
  int len = vasprintf(text, format, args);
  va_end(args);
  return len;
}

static int ours_open(const char *path, int flags, ...)
{
  int kinds = DESCRIBES | READS | WAITS |
              (flags & O_CREAT     ? GROWS | CHANGES
               : flags & O_ACCMODE ? CHANGES
                                   : 0);
  va_list args;
  if (fails(kinds, "open", CALLER))
    return -1;
  va_start(args, flags);
  int fd = open(path, flags, va_arg(args, mode_t));
  va_end(args);
  return fd;
}

static int ours_fcntl(int fd, int command, ...)
{
  bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
               command == F_OFD_SETLKW || command == F_GETLK || command == F_OFD_GETLK;
  bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
  if ((locks || copies) && fails(locks ? (waits ? LOCKS | WAITS : LOCKS) : DESCRIBES, "fcntl", CALLER))
    return -1;
  va_list args;
  va_start(args, command);
  int result = fcntl(fd, command, va_arg(args, void *));
  va_end(args);
  return result;
}

static long ours_syscall(long number, ...)
{
  int kinds = number == SYS_openat                              ? DESCRIBES | READS
              : number == SYS_pidfd_open || number == SYS_clone ? DESCRIBES
              : number == SYS_newfstatat || number == SYS_read  ? READS
              : number == SYS_futex                             ? WAITS
                                                                : 0;
  long a[6];
  va_list args;
  if (kinds && fails(kinds, "syscall", CALLER))
    return -1;
  va_start(args, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg(args, long);
  va_end(args);
  return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int ours_clock_gettime(clockid_t id, struct timespec *time)
{
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
    strikes(TELLS_TIME, "clock_gettime", CALLER);
  int rc = clock_gettime(id, time);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
    time->tv_sec += days * 86400;
  return rc;
}

static time_t ours_time(time_t *at_what)
{
  strikes(TELLS_TIME, "time", CALLER);
  time_t now = time(NULL) + days * 86400;
  if (at_what)
    *at_what = now;
  return now;
}

static void set_all_slots(void);

static void *(*libc_dlopen)(const char *file, int flags);

/* An object of ours is opened: the slots of what came with it are set before anything in it is called. */
static void *ours_dlopen(const char *file, int flags)
{
  bool of_ours = file && strstr(file, "/libidemshim");
  if (of_ours && fails(DESCRIBES | READS | ALLOCATES | MAPS, "dlopen", CALLER))
    return NULL;
  void *object = libc_dlopen(file, flags);
  if (object && of_ours)
    set_all_slots();
  return object;
}

/* The front asks for libc's own dlopen() by version (shim/libcurl/dl.c), which no exported
 * one stands in front of. */
static void *ours_dlvsym(void *handle, const char *name, const char *version)
{
  void *found = dlvsym(handle, name, version);
  if (strcmp(name, "dlopen") != 0)
    return found;
  libc_dlopen = (void *(*)(const char *, int))found;
  return (void *)ours_dlopen;
}

static const struct slot {
  const char *name;
  void *instead;
} slots[] = {
#define SLOT(name)                                                                                           \
  {                                                                                                          \
#name, (void *)ours_##name                                                                               \
  }
    SLOT(read),
    SLOT(pread),
    SLOT(write),
    SLOT(pwrite),
    SLOT(writev),
    SLOT(preadv),
    SLOT(send),
    SLOT(recv),
    SLOT(fsync),
    SLOT(fdatasync),
    SLOT(msync),
    SLOT(ftruncate),
    SLOT(mkdir),
    SLOT(chmod),
    SLOT(fchmod),
    SLOT(link),
    SLOT(rename),
    SLOT(unlink),
    SLOT(unlinkat),
    SLOT(access),
    SLOT(opendir),
    SLOT(fdopendir),
    SLOT(fopen),
    SLOT(socketpair),
    SLOT(eventfd),
    SLOT(dup3),
    SLOT(poll),
    SLOT(nanosleep),
    SLOT(getrandom),
    SLOT(mmap),
    SLOT(madvise),
    SLOT(malloc),
    SLOT(calloc),
    SLOT(realloc),
    SLOT(reallocarray),
    SLOT(aligned_alloc),
    SLOT(strdup),
    SLOT(strndup),
    SLOT(posix_memalign),
    SLOT(posix_fallocate),
    SLOT(pthread_create),
    SLOT(pthread_mutex_init),
    SLOT(pthread_key_create),
    SLOT(clock_nanosleep),
    SLOT(asprintf),
    SLOT(open),
    SLOT(fcntl),
    SLOT(syscall),
    SLOT(clock_gettime),
    SLOT(time),
    SLOT(readlink),
    SLOT(fallocate),
    SLOT(fstatfs),
    SLOT(lseek),
    SLOT(socket),
    SLOT(connect),
    SLOT(sendmsg),
    SLOT(recvfrom),
    SLOT(ppoll),
    SLOT(timerfd_create),
    SLOT(dlopen),
    SLOT(dlvsym),
#undef SLOT
};

static void set(void **slot, void *instead)
{
  uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)slot & ~(size - 1);
  /* What is bound at once has been made read-only since. */
  if (mprotect((void *)page, size, PROT_READ | PROT_WRITE) == 0)
    *slot = instead;
}

static void set_slots(const struct link_map *map, const ElfW(Rela) * rows, size_t bytes,
                      const ElfW(Sym) * symbols, const char *names)
{
  for (size_t i = 0; rows && i < bytes / sizeof *rows; i++) {
    const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(rows[i].r_info)];
    unsigned long type = ELF64_R_TYPE(rows[i].r_info);
#ifdef __x86_64__
    bool calls_through = type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#else
    bool calls_through = type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#endif
    for (size_t k = 0; calls_through && k < sizeof slots / sizeof *slots; k++)
      if (strcmp(names + symbol->st_name, slots[k].name) == 0)
        set((void **)(map->l_addr + rows[i].r_offset), slots[k].instead);
  }
}

static void set_slots_of(const struct link_map *map)
{
  const ElfW(Rela) *rela = NULL, *jumps = NULL;
  const ElfW(Sym) *symbols = NULL;
  const char *names = NULL;
  size_t rela_bytes = 0, jump_bytes = 0;
  for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
    const void *value = (const void *)entry->d_un.d_ptr;
    symbols = entry->d_tag == DT_SYMTAB ? value : symbols;
    names = entry->d_tag == DT_STRTAB ? value : names;
    rela = entry->d_tag == DT_RELA ? value : rela;
    jumps = entry->d_tag == DT_JMPREL ? value : jumps;
    rela_bytes = entry->d_tag == DT_RELASZ ? entry->d_un.d_val : rela_bytes;
    jump_bytes = entry->d_tag == DT_PLTRELSZ ? entry->d_un.d_val : jump_bytes;
  }
  set_slots(map, rela, rela_bytes, symbols, names);
  set_slots(map, jumps, jump_bytes, symbols, names);
}

static void set_all_slots(void)
{
  /* Not by dlopen(NULL), which is the front's, and would have it look for libc's before its slot is set. */
  for (struct link_map *map = _r_debug.r_map; map; map = map->l_next)
    if (strstr(map->l_name, "/libidemshim") || strstr(map->l_name, "/liblmdb"))
      set_slots_of(map);
}

__attribute__((constructor)) static void begin(void)
{
  const char *text = getenv("FAULT");
  char name[16] = "", more = 0;
  if (!text || sscanf(text, "%15s %lu%c", name, &at, &more) < 2)
    return;
  of_whom = getpid();
  and_all_after = more == '+';
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (strcmp(faults[i].name, name) == 0)
      fault = &faults[i];
  set_all_slots();
}

static int count_descriptors(void)
{
  DIR *dir = opendir("/proc/self/fd");
  int count = -1; /* that of the listing */
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  if (dir)
    closedir(dir);
  return count;
}

__attribute__((destructor)) static void end(void)
{
  const char *path = getenv("FAULT_REPORT");
  unsigned long made = calls;
  if (!fault || getpid() != of_whom || !path)
    return;
  fault = NULL;
  FILE *file = fopen(path, "w");
  if (!file)
    return;
  fprintf(file, "calls %lu descriptors %d struck %u %s\n", made, count_descriptors(), struck, where);
  fclose(file);
}
