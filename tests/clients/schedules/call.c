/* SPDX-License-Identifier: MIT */
#include "tests/clients/schedules/call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unwind.h>

__thread struct lane *lane;

static const char *url, *tag, *salt;
static unsigned serial; /* of the gates */

static const struct {
  const char *script;
  bool gated, salted;
} kinds[] = {
#define X(name, script, gated, salted) {script, gated, salted},
    KINDS(X)
#undef X
};

static const bool leaves[] = {
#define X(name, leaves) leaves,
    ACTS(X)
#undef X
};

void calls_begin(const char *base, const char *run_tag, const char *run_salt)
{
  url = base;
  tag = run_tag;
  salt = run_salt;
}

void say(const struct lane *of, unsigned handle, const char *mark, const char *format, ...)
{
  char line[512];
  va_list args;
  int len = snprintf(line, sizeof line, "%u.%u%s ", of->id, handle, mark);
  va_start(args, format);
  len += vsnprintf(line + len, sizeof line - (size_t)len, format, args);
  va_end(args);
  line[len++] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)len) != len)
    _exit(90);
}

void call_tell(const struct call *call, const char *what)
{
  say(call->lane, call->spec.handle, call->mark, "n%u %s %s head=%zu:%08x body=%zu:%08x", call->spec.number,
      what, call->sequence, call->head_lines, (unsigned)call->head_hash, call->bytes, (unsigned)call->hash);
}

void call_end(struct call *call, CURLcode code)
{
  long status = 0, redirects = 0;
  char *type = NULL, *effective = NULL, what[128];
  curl_off_t size = 0;
  call->done = true;
  curl_easy_getinfo(call->handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(call->handle, CURLINFO_REDIRECT_COUNT, &redirects);
  curl_easy_getinfo(call->handle, CURLINFO_SIZE_DOWNLOAD_T, &size);
  curl_easy_getinfo(call->handle, CURLINFO_CONTENT_TYPE, &type);
  curl_easy_getinfo(call->handle, CURLINFO_EFFECTIVE_URL, &effective);
  if (call->spec.kind == KIND_late)
    call_open_gate(call);
  if (code == CURLE_FAILED_INIT) /* refused: the infos are of a call before, or of none */
    status = redirects = size = 0, type = NULL;
  if (code == CURLE_SEND_ERROR) /* whether a reset is met in sending or in receiving is up to the clock */
    code = CURLE_RECV_ERROR;
  /* A replay that is given up before the answer that a redirect led to tells that one's. */
  effective = code == CURLE_OK && strlen(effective) > 8 ? strchr(effective + 8, '/') : NULL;
  snprintf(what, sizeof what, "code=%d status=%ld redirects=%ld size=%ld %s %s", (int)code, status, redirects,
           (long)size, type ? type : "-", effective ? effective : "-");
  call_tell(call, what);
}

/* The mock's own endpoint, over a socket of our own. */
static void tell_mock(const char *gate)
{
  struct sockaddr_in mock = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
  char text[256];
  ssize_t n;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int len =
      snprintf(text, sizeof text, "POST /_mock/open?gate=%s HTTP/1.0\r\nContent-Length: 0\r\n\r\n", gate);
  while (connect(fd, (struct sockaddr *)&mock, sizeof mock) && errno == EINTR)
    ;
  if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
    _exit(91);
  do
    n = read(fd, text, sizeof text);
  while (n > 0 || (n < 0 && errno == EINTR));
  close(fd);
}

void call_open_gate(const struct call *call)
{
  if (*call->gate)
    tell_mock(call->gate);
}

void call_unpause(struct call *call)
{
  call->paused = false;
  curl_easy_pause(call->handle, CURLPAUSE_CONT);
}

/* Acts. */

_Noreturn void end_process(const char *way)
{
  if (strcmp(way, "exit") == 0)
    exit(3);
  if (strcmp(way, "quick") == 0)
    quick_exit(4);
  if (strcmp(way, "_exit") == 0)
    _exit(5);
  kill(getpid(), strcmp(way, "term") == 0 ? SIGTERM : strcmp(way, "abort") == 0 ? SIGABRT : SIGKILL);
  for (;;)
    pause();
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
  (void)data, (void)arg;
  return size * count;
}

static pthread_mutex_t making_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t made = PTHREAD_COND_INITIALIZER;
static unsigned making;

CURL *handle_new(void)
{
  pthread_mutex_lock(&making_lock);
  making++;
  pthread_mutex_unlock(&making_lock);
  CURL *handle = curl_easy_init();
  pthread_mutex_lock(&making_lock);
  making--;
  pthread_cond_broadcast(&made);
  pthread_mutex_unlock(&making_lock);
  return handle;
}

pid_t fork_between(void)
{
  pthread_mutex_lock(&making_lock);
  while (making)
    pthread_cond_wait(&made, &making_lock);
  pid_t child = fork();
  pthread_mutex_unlock(&making_lock);
  return child;
}

/* A whole call on a handle of its own; `number` 0: the same as `outer`. */
static void perform_beside(struct call *outer, const char *mark, unsigned number)
{
  struct call_spec spec = {.handle = outer->spec.handle,
                           .number = number ? number : outer->spec.number,
                           .kind = number ? KIND_whole : outer->spec.kind};
  CURL *handle = handle_new();
  struct call *call = call_prepare(outer->lane, &spec, handle);
  call->mark = mark;
  call_end(call, curl_easy_perform(handle));
  curl_easy_cleanup(handle);
}

static void *in_thread(void *outer)
{
  perform_beside(outer, "t", 10000 + ((struct call *)outer)->spec.number);
  return NULL;
}

static void start_thread(struct call *call)
{
  pthread_t thread;
  void *end;
  if (pthread_create(&thread, NULL, in_thread, call) == 0)
    pthread_join(thread, &end);
}

static void fork_now(struct call *call)
{
  int status = 0;
  pid_t child = fork_between();
  if (child == 0) {
    if (call->spec.act == ACT_childcall)
      perform_beside(call, "f", 20000 + call->spec.number);
    if (call->spec.act == ACT_childexit)
      exit(6);
    _exit(7);
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  say(call->lane, call->spec.handle, call->mark, "child ended 0x%x", (unsigned)status);
}

static _Unwind_Reason_Code stop_at_landing(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context, void *of)
{
  struct lane *to = of;
  (void)version, (void)actions, (void)kind, (void)exception;
  if (_Unwind_GetCFA(context) > (_Unwind_Word)(uintptr_t)to->landing)
    siglongjmp(to->caller, 1);
  return _URC_NO_REASON;
}

#ifdef __SANITIZE_ADDRESS__
/* The stack is left in ways that the sanitizer does not see. */
void __asan_handle_no_return(void);
#else
#define __asan_handle_no_return() ((void)0)
#endif

/* In throw.cc, where there is a compiler for it. */
extern void throw_exception(void) __attribute__((weak));

static _Noreturn void leave(struct call *call)
{
  static __thread struct _Unwind_Exception exception;
  static const char *const ways[ACTS_END] = {
      [ACT_exit] = "exit", [ACT_quick] = "quick", [ACT__exit] = "_exit",
      [ACT_term] = "term", [ACT_kill] = "kill",   [ACT_abort] = "abort"};
  call_tell(call, "leaves");
  call_open_gate(call);
  __asan_handle_no_return();
  switch (call->spec.act) {
  case ACT_jump:
    siglongjmp(call->lane->caller, 1);
  case ACT_sigjump:
    raise(SIGUSR2);
    break;
  case ACT_throw:
    if (throw_exception)
      throw_exception();
    _Unwind_ForcedUnwind(&exception, stop_at_landing, call->lane);
    break;
  case ACT_cancel:
    pthread_cancel(pthread_self());
    pthread_testcancel();
    break;
  case ACT_threadexit:
    pthread_exit(NULL);
  default:
    settle();
    end_process(ways[call->spec.act]);
  }
  abort();
}

static void recurse(struct call *call)
{
  CURLM *multi = call->lane->loop.multi;
  int running = 0;
  if (!call->in_multi || !multi)
    return;
  CURLMcode removed = curl_multi_remove_handle(multi, call->handle),
            turned = curl_multi_perform(multi, &running);
  CURL *other = handle_new();
  CURLMcode added = curl_multi_add_handle(multi, other);
  curl_easy_cleanup(other);
  say(call->lane, call->spec.handle, call->mark, "remove %d perform %d add %d cleanup %d", (int)removed,
      (int)turned, (int)added, (int)curl_multi_cleanup(multi));
}

static void set_options(CURL *handle)
{
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "schedules");
  curl_easy_setopt(handle, CURLOPT_REFERER, "http://nowhere/");
  curl_easy_setopt(handle, CURLOPT_REFERER, NULL);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, NULL);
  curl_easy_setopt(handle, CURLOPT_MAXCONNECTS, 3L);
}

/* True: the callback is to say that the call ends. */
static bool act(struct call *call, enum point at)
{
  if (call->acted || call->spec.at != at)
    return false;
  call->acted = true;
  if (leaves[call->spec.act])
    leave(call);
  switch (call->spec.act) {
  case ACT_stop:
    call_tell(call, "stops");
    call_open_gate(call);
    return true;
  case ACT_inner:
    perform_beside(call, "i", 30000 + call->spec.number);
    break;
  case ACT_same:
    perform_beside(call, "s", 0);
    break;
  case ACT_copy: {
    CURL *copy = curl_easy_duphandle(call->handle);
    curl_easy_setopt(copy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_cleanup(copy);
    break;
  }
  case ACT_setopt:
    set_options(call->handle);
    break;
  case ACT_itself:
    say(call->lane, call->spec.handle, call->mark, "itself %d", (int)curl_easy_perform(call->handle));
    break;
  case ACT_recursion:
    recurse(call);
    break;
  case ACT_child:
  case ACT_childcall:
  case ACT_childexit:
    fork_now(call);
    break;
  case ACT_thread:
    start_thread(call);
    break;
  case ACT_signal:
    raise(SIGUSR1);
    break;
  case ACT_later: /* at the next point of cancellation, where nothing more has come */
    call_tell(call, "is cancelled");
    call->lane->cancelled = call;
    pthread_cancel(pthread_self());
    break;
  default:
    break;
  }
  return false;
}

/* Callbacks. */

/* Once, however often it is called in a row. A body that is sent again, as after a redirect, is
 * not read again with us. */
static void note(struct call *call, char what)
{
  size_t len = strlen(call->sequence);
  if ((!len || (call->sequence[len - 1] != what && what != 'R')) && len + 1 < sizeof call->sequence)
    call->sequence[len] = what;
}

static void hash(uint64_t *into, const char *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++)
    *into = (*into ^ (unsigned char)bytes[i]) * 1099511628211u;
}

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
  struct call *call = arg;
  size_t len = strlen(call->body) - call->body_at, room = size * count;
  note(call, 'R');
  if (act(call, AT_read))
    return CURL_READFUNC_ABORT;
  len = len < room ? len : room;
  memcpy(into, call->body + call->body_at, len);
  call->body_at += len;
  return len;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
  struct call *call = arg;
  call->body_at = origin == SEEK_SET ? (size_t)offset : 0;
  return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
  struct call *call = arg;
  note(call, 'H');
  if (strncasecmp(line, "Date:", 5) != 0) {
    call->head_lines++;
    hash(&call->head_hash, line, size * count);
  }
  return act(call, AT_header) ? 0 : size * count;
}

/* All of it has come that comes while the gate is closed. */
static void arrive(struct call *call)
{
  if (call->arrived)
    return;
  call->arrived = true;
  if (call->hold && call->spec.kind == KIND_held && call->lane->parked) {
    call_tell(call, "is parked");
    lane_settled(call->lane);
  }
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  struct call *call = arg;
  note(call, 'W');
  if (call->spec.act == ACT_pause && !call->acted) {
    call->acted = call->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  hash(&call->hash, data, size * count);
  call->bytes += size * count;
  arrive(call);
  if (act(call, AT_write))
    return 0;
  if (!call->hold && call->spec.act != ACT_later && (call->spec.at != AT_progress || call->acted)) {
    call_open_gate(call);
    *call->gate = 0;
  }
  return size * count;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  struct call *call = arg;
  (void)total, (void)up_total, (void)up;
  if (call->paused && !call->in_multi && ++call->updates_while_paused == 2)
    call_unpause(call);
  if (!now || !call->arrived)
    return 0;
  if (act(call, AT_progress))
    return 1;
  if (call->spec.at == AT_progress && !call->hold) {
    call_open_gate(call);
    *call->gate = 0;
  }
  return 0;
}

static struct curl_slist *headers_of(const struct call *call)
{
  char line[256];
  const char *script = kinds[call->spec.kind].script;
  snprintf(line, sizeof line, "X-Mock: still=%u,%s%s%s%s", call->spec.number + 1, script, *script ? "," : "",
           *call->gate ? "gate=" : "", call->gate);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  return curl_slist_append(headers, line);
}

static void set_body(struct call *call)
{
  /* With a size of -1, libcurl 7.88 cannot copy a handle that has copied the fields. */
  curl_easy_setopt(call->handle, CURLOPT_POSTFIELDSIZE, (long)strlen(call->body));
  if (call->spec.at != AT_read && call->spec.number % 5 != 3) {
    bool copied = call->spec.number % 2;
    curl_easy_setopt(call->handle, copied ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS, call->body);
    return;
  }
  curl_easy_setopt(call->handle, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(call->handle, CURLOPT_POST, 1L);
  curl_easy_setopt(call->handle, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt(call->handle, CURLOPT_READDATA, call);
  curl_easy_setopt(call->handle, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(call->handle, CURLOPT_SEEKDATA, call);
}

struct call *call_prepare(struct lane *of, const struct call_spec *spec, CURL *handle)
{
  struct call *call = calloc(1, sizeof *call);
  bool stream = spec->kind != KIND_whole && spec->kind != KIND_big && spec->kind != KIND_moved;
  if (!call)
    _exit(92);
  *call = (struct call){.lane = of, .spec = *spec, .handle = handle, .mark = ""};
  snprintf(call->body, sizeof call->body,
           "{\"model\":\"m\",\"stream\":%s,\"tag\":\"%s\",\"n\":%u,\"salt\":\"%.4s\"}",
           stream ? "true" : "false", tag, spec->number, kinds[spec->kind].salted ? salt : "----");
  if (kinds[spec->kind].gated && spec->kind != KIND_ontime)
    snprintf(call->gate, sizeof call->gate, "%s.%s.%d.%u.", tag, salt, (int)getpid(),
             __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST));
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_of(call));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, call);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS,
                   spec->at == AT_progress || spec->act == ACT_pause ? 0L : (long)(spec->number % 2));
  curl_easy_setopt(handle, CURLOPT_PRIVATE, call);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, (long)(spec->kind == KIND_moved));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, spec->kind == KIND_late ? 150L : 0L);
  set_body(call);
  return call;
}
