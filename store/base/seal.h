/* SPDX-License-Identifier: MIT */
/*
 * seal: AES-256-GCM for what is kept on disk, and the key for it.
 *
 * The key file holds a master key. Each salt has a key of its own, derived by HKDF-SHA-256 (RFC 5869), and a
 * check value that tells a wrong master key before anything is decrypted.
 *
 *     seal_read_key(path, master, &error);
 *     seal_derive(master, salt, key, check);
 *     seal_encrypt(key, nonce, head, bytes, len);                       // and the tag behind them
 *     seal_decrypt(key, nonce, head, bytes, len + SEAL_TAG_SIZE);
 *
 * Keeps no state and no key: whoever calls wipes theirs with OPENSSL_cleanse(). Returns 0 or -errno.
 */
#ifndef IDEMSHIM_STORE_SEAL_H
#define IDEMSHIM_STORE_SEAL_H

#include "store/store.h"

enum { SEAL_KEY_SIZE = 32, SEAL_CHECK_SIZE = 16, SEAL_TAG_SIZE = 16, SEAL_NONCE_SIZE = 12 };

/* Reads the master key: 32 bytes, or 64 hexadecimal digits. -EINVAL for anything else; -EPERM for what is no
 * regular file, or a file that somebody else may write. */
int seal_read_key(const char *path, uint8_t master[SEAL_KEY_SIZE], struct idem_error *error);

/* 0, -ENOMEM. */
int seal_derive(const uint8_t master[SEAL_KEY_SIZE], struct idem_span salt, uint8_t key[SEAL_KEY_SIZE],
                uint8_t check[SEAL_CHECK_SIZE]);

/* Of the same master key and salt: what machines of a fleet name calls with. */
int seal_derive_secret(const uint8_t master[SEAL_KEY_SIZE], struct idem_span salt,
                       uint8_t secret[SEAL_KEY_SIZE]);

/* Works in place; `data` has room for the tag behind its `len` bytes. `bound` is authenticated with them. A
 * nonce must never be used twice under one key. 0, -ENOMEM (also after OPENSSL_cleanup()). */
int seal_encrypt(const uint8_t key[SEAL_KEY_SIZE], const uint8_t nonce[SEAL_NONCE_SIZE],
                 struct idem_span bound, uint8_t *data, size_t len);

/* `len` is with the tag. 0, -EBADMSG: these are not the bytes that were encrypted; -ENOMEM. */
int seal_decrypt(const uint8_t key[SEAL_KEY_SIZE], const uint8_t nonce[SEAL_NONCE_SIZE],
                 struct idem_span bound, uint8_t *data, size_t len);

/* Room for what has a key in it: zeros, in pages of its own, which no core dump has. NULL: no memory. It is
 * overwritten before it is given back; NULL is fine. */
void *seal_room(size_t size);
void seal_room_free(void *room, size_t size);

#endif
