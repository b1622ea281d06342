/* SPDX-License-Identifier: MIT */
#define OPENSSL_API_COMPAT 0x10100000L
#include "tests/bench/bench.h"

#include <lmdb.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct limit {
  MDB_env *env;
  MDB_txn *reader;
  MDB_dbi db;
  unsigned answers, next;
  char *sink;
  char (*requests)[REQUEST_SIZE + 1];
};

static void must(int code, const char *what)
{
  if (code) {
    fprintf(stderr, "bench: %s: %s\n", what, mdb_strerror(code));
    exit(1);
  }
}

static void digest(const char *request, unsigned char out[32])
{
  SHA256_CTX sha;
  SHA256_Init(&sha);
  SHA256_Update(&sha, request, REQUEST_SIZE);
  SHA256_Final(out, &sha);
}

static void fill(struct limit *limit, size_t answer_size)
{
  MDB_txn *txn;
  char *answer = calloc(1, answer_size);
  must(mdb_txn_begin(limit->env, NULL, 0, &txn), "txn_begin");
  must(mdb_dbi_open(txn, NULL, 0, &limit->db), "dbi_open");
  for (unsigned i = 0; i < limit->answers; i++) {
    unsigned char key[32];
    make_request(limit->requests[i], i);
    digest(limit->requests[i], key);
    must(mdb_put(txn, limit->db, &(MDB_val){32, key}, &(MDB_val){answer_size, answer}, 0), "put");
  }
  must(mdb_txn_commit(txn), "commit");
  free(answer);
}

struct limit *limit_open(const char *dir, size_t answer_size, unsigned answers)
{
  struct limit *limit = calloc(1, sizeof(*limit));
  limit->answers = answers;
  limit->requests = calloc(answers, sizeof(*limit->requests));
  limit->sink = malloc(answer_size);
  must(mdb_env_create(&limit->env), "env_create");
  must(mdb_env_set_mapsize(limit->env, (size_t)answers * (answer_size + 8192) * 2 + (16 << 20)), "mapsize");
  must(mdb_env_open(limit->env, dir, MDB_NOSYNC | MDB_NOTLS, 0600), dir);
  fill(limit, answer_size);
  must(mdb_txn_begin(limit->env, NULL, MDB_RDONLY, &limit->reader), "reader");
  mdb_txn_reset(limit->reader);
  return limit;
}

void limit_run(void *data, unsigned count)
{
  struct limit *limit = data;
  for (unsigned i = 0; i < count; i++) {
    unsigned char key[32];
    MDB_val value;
    digest(limit->requests[limit->next], key);
    limit->next = (limit->next + 7919) % limit->answers;
    must(mdb_txn_renew(limit->reader), "renew");
    must(mdb_get(limit->reader, limit->db, &(MDB_val){32, key}, &value), "get");
    memcpy(limit->sink, value.mv_data, value.mv_size);
    mdb_txn_reset(limit->reader);
  }
}
