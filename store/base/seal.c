/* SPDX-License-Identifier: MIT */
#include "store/base/seal.h"

#include "config/kernel.h"
#include "config/old_glibc.h"
#include "store/base/hash.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The key file. */

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Either the bytes themselves, or a line of hexadecimal digits. */
static bool decode_key(const char *text, size_t len, uint8_t master[SEAL_KEY_SIZE])
{
  if (len == SEAL_KEY_SIZE) {
    memcpy(master, text, SEAL_KEY_SIZE);
    return true;
  }
  while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
    len--;
  for (size_t i = 0; len == 2 * SEAL_KEY_SIZE && i < SEAL_KEY_SIZE; i++) {
    int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    master[i] = (uint8_t)(high << 4 | low);
  }
  return len == 2 * SEAL_KEY_SIZE;
}

int seal_read_key(const char *path, uint8_t master[SEAL_KEY_SIZE], struct idem_error *error)
{
  /* Longer than any key, so that one with something behind it is not taken. */
  char text[2 * SEAL_KEY_SIZE + 8], reason[128];
  /* A secret that is mounted into a container is a symbolic link, so it is followed. */
  struct stat info;
  /* A pipe would make the app wait, and gives its text to one process. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool known = fd >= 0 && idem_fstat(fd, &info) == 0;
  /* Who may write it chooses the key, and can then read what is encrypted with it. */
  const char *refusal =
      !known                                         ? NULL
      : !S_ISREG(info.st_mode)                       ? "a regular file"
      : info.st_mode & (S_IWGRP | S_IWOTH)           ? "a file that neither its group nor others may write"
      : info.st_uid != 0 && info.st_uid != geteuid() ? "a file of root or of the user of this process"
                                                     : NULL;
  ssize_t len = known && !refusal ? read(fd, text, sizeof(text)) : -1;
  int code = len < 0 ? errno : 0;
  if (fd >= 0)
    close(fd);
  if (refusal)
    return idem_error_set(error, -EPERM, "%s: the key cannot be read: expected %s", path, refusal);
  if (len < 0)
    return idem_error_set(error, -code, "%s: the key cannot be read: %s", path,
                          strerror_r(code, reason, sizeof(reason)));
  bool good = decode_key(text, (size_t)len, master);
  OPENSSL_cleanse(text, sizeof(text));
  if (good)
    return 0;
  return idem_error_set(error, -EINVAL,
                        "%s: expected a key of 32 bytes, or 64 hexadecimal digits; openssl rand -out FILE 32 "
                        "makes one",
                        path);
}

/* OpenSSL may end before the program's last call does. */
static _Atomic bool over;

static void note_end(void)
{
  over = true;
}

/* Looked up once, for each look takes a lock of OpenSSL's, which may stay locked in the child of a fork.
 * So a fork waits for it. */
static const EVP_CIPHER *gcm; /* under process_lock_lists; then constant */

static void begin(void)
{
  PROCESS_LOCKED(lists);
  if (gcm)
    return;
  OPENSSL_atexit(note_end);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
#else
  gcm = EVP_aes_256_gcm();
#endif
}

/* HKDF (RFC 5869): extract with the salt, then one block of expansion for each use. */

/* RFC 5869, 2.3, of which 32 bytes are the first block: HMAC of the use and a byte 1. */
static void expand(const uint8_t extracted[SEAL_KEY_SIZE], const char *info, uint8_t out[SEAL_KEY_SIZE])
{
  char block[64];
  size_t len = strlen(info);
  memcpy(block, info, len);
  block[len] = 1;
  hash_mac(extracted, SEAL_KEY_SIZE, (struct idem_span){block, len + 1}, out);
}

int seal_derive(const uint8_t master[SEAL_KEY_SIZE], struct idem_span salt, uint8_t key[SEAL_KEY_SIZE],
                uint8_t check[SEAL_CHECK_SIZE])
{
  uint8_t extracted[SEAL_KEY_SIZE], checked[SEAL_KEY_SIZE];
  begin();
  hash_mac(salt.data, salt.len, (struct idem_span){(const char *)master, SEAL_KEY_SIZE}, extracted);
  expand(extracted, "idemshim records 1", key);
  expand(extracted, "idemshim key check 1", checked);
  memcpy(check, checked, SEAL_CHECK_SIZE);
  OPENSSL_cleanse(extracted, sizeof(extracted));
  return gcm ? 0 : -ENOMEM;
}

int seal_derive_secret(const uint8_t master[SEAL_KEY_SIZE], struct idem_span salt,
                       uint8_t secret[SEAL_KEY_SIZE])
{
  uint8_t extracted[SEAL_KEY_SIZE];
  hash_mac(salt.data, salt.len, (struct idem_span){(const char *)master, SEAL_KEY_SIZE}, extracted);
  expand(extracted, "idemshim fleet names 1", secret);
  OPENSSL_cleanse(extracted, sizeof(extracted));
  return 0;
}

/* The cipher. */

/* One context for each call: a hit in an encrypted store allocates anyway. */
int seal_encrypt(const uint8_t key[SEAL_KEY_SIZE], const uint8_t nonce[SEAL_NONCE_SIZE],
                 struct idem_span bound, uint8_t *data, size_t len)
{
  EVP_CIPHER_CTX *cipher = over ? NULL : EVP_CIPHER_CTX_new();
  int out = 0;
  bool done = cipher && EVP_EncryptInit_ex(cipher, gcm, NULL, key, nonce) &&
              EVP_EncryptUpdate(cipher, NULL, &out, (const void *)bound.data, (int)bound.len) &&
              EVP_EncryptUpdate(cipher, data, &out, data, (int)len) &&
              EVP_EncryptFinal_ex(cipher, data + len, &out) &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, data + len);
  EVP_CIPHER_CTX_free(cipher);
  return done ? 0 : -ENOMEM;
}

int seal_decrypt(const uint8_t key[SEAL_KEY_SIZE], const uint8_t nonce[SEAL_NONCE_SIZE],
                 struct idem_span bound, uint8_t *data, size_t len)
{
  if (len < SEAL_TAG_SIZE)
    return -EBADMSG;
  len -= SEAL_TAG_SIZE;
  EVP_CIPHER_CTX *cipher = over ? NULL : EVP_CIPHER_CTX_new();
  if (!cipher)
    return -ENOMEM;
  int out = 0;
  bool done = EVP_DecryptInit_ex(cipher, gcm, NULL, key, nonce) &&
              EVP_DecryptUpdate(cipher, NULL, &out, (const void *)bound.data, (int)bound.len) &&
              EVP_DecryptUpdate(cipher, data, &out, data, (int)len) &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_SIZE, data + len) &&
              EVP_DecryptFinal_ex(cipher, data + len, &out) > 0;
  EVP_CIPHER_CTX_free(cipher);
  return done ? 0 : -EBADMSG;
}

/* An app's core goes to its makers, or lies where others read it. */
void *seal_room(size_t size)
{
  void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED)
    return NULL;
  madvise(room, size, MADV_DONTDUMP);
  return room;
}

void seal_room_free(void *room, size_t size)
{
  if (!room)
    return;
  OPENSSL_cleanse(room, size);
  munmap(room, size);
}
