/* SPDX-License-Identifier: MIT */
#include "fleet/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls {
  SSL_CTX *context;
  BIO_METHOD *method; /* of every link's BIO: it has to outlive them */
  bool insecure;
};

/* The socket, as OpenSSL sees it: it never waits, and raises no signal. Waiting is the link's, to its
 * deadline. */

static int bio_write(BIO *bio, const char *data, int len)
{
  const struct link *link = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t done = send(link->fd, data, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (done < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_write(bio);
  return (int)done;
}

static int bio_read(BIO *bio, char *data, int len)
{
  const struct link *link = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t done = recv(link->fd, data, (size_t)len, MSG_DONTWAIT);
  if (done < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_read(bio);
  return (int)done;
}

/* OpenSSL flushes while it shakes hands, and 0 would be a failure. Nothing is buffered here. To all else that
 * it asks 0 says that there is no such thing. */
static long bio_control(BIO *bio, int command, long number, void *data)
{
  (void)bio;
  (void)number;
  (void)data;
  return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
  BIO_set_init(bio, 1);
  return 1;
}

/* The context. */

/* The system's certificates, unless the URL names others; a key that is not named stands in the file of the
 * certificate. */
static bool load_files(SSL_CTX *context, const struct idem_fleet *fleet)
{
  if (fleet->ca ? !SSL_CTX_load_verify_locations(context, fleet->ca, NULL)
                : !SSL_CTX_set_default_verify_paths(context))
    return false;
  if (fleet->cert && SSL_CTX_use_certificate_chain_file(context, fleet->cert) != 1)
    return false;
  const char *key = fleet->key ? fleet->key : fleet->cert;
  return !key || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

/* Errors that another user of this OpenSSL has left are not taken for ours, and ours are not left to it. */
static void tell(char *error, size_t size, const char *what)
{
  char reason[120];
  unsigned long code = ERR_get_error();
  ERR_error_string_n(code, reason, sizeof(reason));
  const char *text = code ? ERR_reason_error_string(code) : NULL;
  snprintf(error, size, "%s: %s", what, text ? text : code ? reason : "TLS failed");
  ERR_clear_error();
}

/* A part of a write may be done, and the rest be tried again from elsewhere: write_all() counts by itself. */
struct tls *tls_new(const struct idem_fleet *fleet, char *error, size_t size)
{
  struct tls *tls = calloc(1, sizeof(*tls));
  ERR_clear_error();
  if (tls) {
    tls->insecure = fleet->insecure;
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "idemshim");
  }
  if (tls && tls->context && tls->method && load_files(tls->context, fleet)) {
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls->context, fleet->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    BIO_meth_set_write(tls->method, bio_write);
    BIO_meth_set_read(tls->method, bio_read);
    BIO_meth_set_ctrl(tls->method, bio_control);
    BIO_meth_set_create(tls->method, bio_create);
    return tls;
  }
  tell(error, size, fleet->ca ? fleet->ca : "TLS");
  tls_free(tls);
  return NULL;
}

void tls_free(struct tls *tls)
{
  if (!tls)
    return;
  SSL_CTX_free(tls->context);
  BIO_meth_free(tls->method);
  free(tls);
}

/* Links. */

/* What a call of OpenSSL's has come to: -EAGAIN with what it waits for, or -errno. errno is read at once and
 * was 0 before, so that it is that of our BIO; the queue of errors is emptied, for an app may use the same
 * OpenSSL in this thread. */
static int outcome(SSL *ssl, int rc, short *events)
{
  int what = SSL_get_error(ssl, rc), code = errno;
  ERR_clear_error();
  switch (what) {
  case SSL_ERROR_WANT_READ:
    *events = POLLIN;
    return -EAGAIN;
  case SSL_ERROR_WANT_WRITE:
    *events = POLLOUT;
    return -EAGAIN;
  case SSL_ERROR_SYSCALL:
    return code ? -code : -ECONNRESET;
  default:
    return -ECONNRESET;
  }
}

/* An address has to be one that the certificate names, too. A name is sent, so that a server with many finds
 * its own. */
static bool expect_host(SSL *ssl, const char *host)
{
  unsigned char address[16];
  if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

/* A handshake has as many turns as it needs and one deadline, the link's. What is wrong with the certificate
 * is told before what OpenSSL says, which is only that the handshake has failed. */
static int shake_hands(SSL *ssl, struct link *link)
{
  short events = 0;
  for (;;) {
    ERR_clear_error();
    errno = 0;
    int rc = SSL_connect(ssl);
    if (rc == 1)
      return 0;
    int verified = (int)SSL_get_verify_result(ssl);
    rc = outcome(ssl, rc, &events);
    if (rc != -EAGAIN && verified != X509_V_OK) {
      snprintf(link->error, sizeof(link->error), "certificate: %s", X509_verify_cert_error_string(verified));
      return -EACCES;
    }
    if (rc == -EAGAIN)
      rc = link_wait(link, events);
    if (rc < 0)
      return rc;
  }
}

int tls_open(struct tls *tls, struct link *link, const char *host)
{
  SSL *ssl = SSL_new(tls->context);
  BIO *bio = ssl ? BIO_new(tls->method) : NULL;
  if (!bio || (!tls->insecure && !expect_host(ssl, host))) {
    BIO_free(bio);
    SSL_free(ssl);
    return -ENOMEM;
  }
  BIO_set_data(bio, link);
  SSL_set_bio(ssl, bio, bio);
  link->ssl = ssl;
  return shake_hands(ssl, link);
}

/* SSL_write() counts in an int. */
ssize_t tls_write(SSL *ssl, const char *data, size_t len, short *events)
{
  const size_t most = 1 << 20;
  ERR_clear_error();
  errno = 0;
  int done = SSL_write(ssl, data, (int)(len < most ? len : most));
  return done > 0 ? done : outcome(ssl, done, events);
}

ssize_t tls_read(SSL *ssl, char *data, size_t len, short *events)
{
  ERR_clear_error();
  errno = 0;
  int done = SSL_read(ssl, data, (int)len);
  return done > 0 ? done : outcome(ssl, done, events);
}

/* Without SSL_shutdown(), whose alert would end the session of a parent that has the same connection. It
 * frees the BIO, too. */
void tls_close(SSL *ssl)
{
  SSL_free(ssl);
}
