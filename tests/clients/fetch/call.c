/* SPDX-License-Identifier: MIT */
#include "tests/clients/fetch/fetch.h"

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  struct call *call = arg;

  call->chunks++;
  if (call->options->stream)
    fprintf(call->out, "chunk %zu\n", size * count);
  if (call->options->chunk_limit && call->chunks >= (size_t)call->options->chunk_limit)
    return 0;
  return reply_take(data, size, count, &call->reply);
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
  struct call *call = arg;

  return fwrite(data, size, count, call->out) * size;
}

static size_t on_read(char *room, size_t size, size_t count, void *arg)
{
  struct call *call = arg;
  size_t left = call->options->body_len - call->uploaded;
  size_t len = left < size * count ? left : size * count;

  memcpy(room, call->options->body + call->uploaded, len);
  call->uploaded += len;
  return len;
}

/* For a redirect or a connection that died: libcurl sends the body once more. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
  struct call *call = arg;

  if (origin != SEEK_SET || (size_t)offset > call->options->body_len)
    return CURL_SEEKFUNC_CANTSEEK;
  call->uploaded = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static void set_body(struct call *call, CURL *handle)
{
  const struct options *options = call->options;
  bool from_callback = options->upload_callback || options->upload_chunked;

  if (!options->body)
    return;
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  if (!options->upload_chunked)
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_len);
  if (from_callback) {
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, call);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, call);
  } else {
    curl_easy_setopt(handle, options->copy_postfields ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS,
                     options->body);
  }
}

void call_prepare(struct call *call, CURL *handle)
{
  const struct options *options = call->options;

  curl_easy_setopt(handle, CURLOPT_URL, options->url);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, call->error);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, options->headers);
  curl_easy_setopt(handle, CURLOPT_CONNECT_TO, options->connect_to);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, options->timeout_ms);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, options->follow);
  curl_easy_setopt(handle, CURLOPT_FAILONERROR, options->fail);
  if (options->print_headers) {
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
  }
  if (options->compressed)
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
  if (options->cookies)
    curl_easy_setopt(handle, CURLOPT_COOKIEFILE, "");
  if (getenv("CURL_CA_BUNDLE")) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, getenv("CURL_CA_BUNDLE"));
    /* Debian's GnuTLS flavour reads the system's directory for half a second beside it,
     * more with a sanitizer. */
    curl_easy_setopt(handle, CURLOPT_CAPATH, (char *)NULL);
  }
  set_body(call, handle);
  if (options->method)
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, options->method);
}

CURLcode call_perform(struct call *call, CURL *handle)
{
  const struct options *options = call->options;
  CURLcode code = curl_easy_perform(handle);
  long status = 0;

  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  fprintf(call->out, "rc %d %s\nerror %s\nstatus %ld\n", (int)code, curl_easy_strerror(code), call->error,
          status);
  fprintf(call->out, "bytes %zu checksum %016" PRIx64 "\n", call->reply.len, reply_checksum(&call->reply));
  if (options->print_body && call->reply.len) {
    fwrite(call->reply.bytes, 1, call->reply.len, call->out);
    fputc('\n', call->out);
  }
  if (options->header_api)
    show_headers(call->out, handle);
  if (options->write_out_all)
    show_infos(call->out, handle, false);
  if (options->times)
    show_infos(call->out, handle, true);
  return code;
}
