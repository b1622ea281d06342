/* SPDX-License-Identifier: MIT */
#define OPENSSL_API_COMPAT 0x10100000L
#define XXH_INLINE_ALL
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <lmdb.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { BATCH = 10000 };

struct limit {
  MDB_env *env;
  MDB_txn *reader;
  MDB_dbi db;
  unsigned answers;
  uint64_t step;
  bool by_sha256;
  char *sink;
  char request[REQUEST_SIZE + 1];
};

static void check(int code, const char *what)
{
  if (code)
    fprintf(stderr, "bench: %s\n", mdb_strerror(code));
  must(code == 0, what);
}

/* Into the first bytes of `out`; how many. A secret that an attacker does not know is what keeps
 * XXH3 from being fooled. */
static size_t name_of(const struct limit *limit, unsigned char out[32])
{
  static unsigned char secret[192] = "as long as XXH3 wants it";
  if (limit->by_sha256) {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, limit->request, REQUEST_SIZE);
    SHA256_Final(out, &sha);
    return 32;
  }
  XXH128_hash_t hash = XXH3_128bits_withSecret(limit->request, REQUEST_SIZE, secret, sizeof(secret));
  memcpy(out, &hash, sizeof(hash));
  return sizeof(hash);
}

static void fill(struct limit *limit, size_t answer_size)
{
  size_t kept = limit->by_sha256 ? 0 : REQUEST_SIZE;
  MDB_txn *txn = NULL;
  char *value = calloc(1, kept + answer_size);
  must(value != NULL, "calloc");
  for (unsigned i = 0; i < limit->answers; i++) {
    unsigned char key[32];
    if (!txn)
      check(mdb_txn_begin(limit->env, NULL, 0, &txn), "txn_begin");
    request_number(limit->request, i);
    memcpy(value, limit->request, kept);
    MDB_val name = {name_of(limit, key), key}, data = {kept + answer_size, value};
    check(mdb_put(txn, limit->db, &name, &data, 0), "put");
    if ((i + 1) % BATCH && i + 1 < limit->answers)
      continue;
    check(mdb_txn_commit(txn), "commit");
    txn = NULL;
  }
  free(value);
}

struct limit *limit_open(const char *dir, size_t answer_size, unsigned answers, int by_sha256)
{
  struct limit *limit = calloc(1, sizeof(*limit));
  MDB_txn *txn;
  MDB_stat has;
  must(limit != NULL, "calloc");
  limit->answers = answers;
  limit->by_sha256 = by_sha256;
  limit->sink = malloc(answer_size);
  request_make(limit->request, CALLS_COMMON);
  mkdir(dir, 0700);
  check(mdb_env_create(&limit->env), "env_create");
  check(mdb_env_set_mapsize(limit->env, (size_t)answers * (answer_size + 12288) * 2 + (16 << 20)), "mapsize");
  check(mdb_env_open(limit->env, dir, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600), dir);
  check(mdb_txn_begin(limit->env, NULL, 0, &txn), "txn_begin");
  check(mdb_dbi_open(txn, NULL, 0, &limit->db), "dbi_open");
  check(mdb_stat(txn, limit->db, &has), "stat");
  check(mdb_txn_commit(txn), "commit");
  if (has.ms_entries != answers)
    fill(limit, answer_size);
  check(mdb_txn_begin(limit->env, NULL, MDB_RDONLY, &limit->reader), "reader");
  mdb_txn_reset(limit->reader);
  return limit;
}

void limit_run(void *data, unsigned count)
{
  struct limit *limit = data;
  size_t kept = limit->by_sha256 ? 0 : REQUEST_SIZE;
  for (unsigned i = 0; i < count; i++) {
    unsigned char key[32];
    MDB_val value;
    request_number(limit->request, request_next(&limit->step, limit->answers));
    MDB_val name = {name_of(limit, key), key};
    check(mdb_txn_renew(limit->reader), "renew");
    check(mdb_get(limit->reader, limit->db, &name, &value), "get");
    must(memcmp(value.mv_data, limit->request, kept) == 0, "the compare");
    memcpy(limit->sink, (const char *)value.mv_data + kept, value.mv_size - kept);
    mdb_txn_reset(limit->reader);
  }
}
