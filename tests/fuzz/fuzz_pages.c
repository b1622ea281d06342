/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the data file: every walk ends, and stays inside the file. The input is a list of changes to a
 * sound little file of four pages: place, place, byte.
 */
#include "store/lmdb/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lmdb.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MOST = 1 << 20 };

static char *sound;
static size_t sound_size;

/* Two trees, one with pages of its own for values and for branches, and a page in the free list. */
static void fill(MDB_env *env)
{
  static char value[6000];
  MDB_txn *txn;
  MDB_dbi dbi;

  for (int round = 0; round < 3; round++) {
    mdb_txn_begin(env, NULL, 0, &txn);
    for (int tree = 0; tree < 2; tree++) {
      mdb_dbi_open(txn, pages_names[PAGES_ANSWERS + tree], MDB_CREATE, &dbi);
      for (unsigned i = 0; i < 150; i++) {
        uint8_t bytes[32] = {(uint8_t)(i * 37), (uint8_t)i};
        MDB_val key = {sizeof(bytes), bytes}, data = {i % 50 ? 40 : sizeof(value), value};
        if (round == 2 && i % 3 == 0)
          mdb_del(txn, dbi, &key, NULL);
        else
          mdb_put(txn, dbi, &key, &data, 0);
      }
    }
    mdb_txn_commit(txn);
  }
}

static void make_sound(void)
{
  char dir[] = "/tmp/idemshim-fuzz.XXXXXX", path[64];
  MDB_env *env;

  if (!mkdtemp(dir) || mdb_env_create(&env) != 0)
    abort();
  mdb_env_set_maxdbs(env, 10);
  mdb_env_set_mapsize(env, FILE_MOST);
  if (mdb_env_open(env, dir, 0, 0600) != 0)
    abort();
  fill(env);
  mdb_env_close(env);
  snprintf(path, sizeof(path), "%s/data.mdb", dir);
  FILE *file = fopen(path, "r");
  sound = malloc(FILE_MOST);
  sound_size = fread(sound, 1, FILE_MOST, file);
  fclose(file);
  unlink(path);
  snprintf(path, sizeof(path), "%s/lock.mdb", dir);
  unlink(path);
  rmdir(dir);
}

static volatile unsigned sum;
static unsigned budget;

static int read_entry(void *arg, struct idem_span key, struct idem_span value)
{
  (void)arg;
  for (size_t i = 0; i < key.len; i++)
    sum += (unsigned char)key.data[i];
  for (size_t i = 0; i < value.len; i += 97)
    sum += (unsigned char)value.data[i];
  return budget-- == 0;
}

static void walk_all(const struct pages_snapshot *snapshot)
{
  static const uint8_t key[32] = {37, 1};
  struct idem_span value, from = {(const char *)key, sizeof(key)};

  pages_check_main(snapshot);
  pages_check_all(snapshot);
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    enum pages_tree tree = (enum pages_tree)i;
    budget = 1000;
    pages_each(snapshot, tree, i % 2 ? &from : NULL, read_entry, NULL);
    pages_check(snapshot, tree, key, sizeof(key), &(struct pages_sound){.deletes = true});
    if (pages_get(snapshot, tree, key, sizeof(key), &value) == 0)
      read_entry(NULL, from, value);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct pages pages;
  struct pages_snapshot snapshot;
  if (!sound)
    make_sound();
  int fd = memfd_create("data", MFD_CLOEXEC);
  if (write(fd, sound, sound_size) != (ssize_t)sound_size)
    abort();
  for (size_t i = 0; i + 3 < size; i += 4) {
    size_t place = data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16;
    if (pwrite(fd, data + i + 3, 1, (off_t)(place % sound_size)) != 1)
      abort();
  }
  unsigned format;
  if (pages_check_header(fd, &format) == 0 && pages_open(&pages, fd, "", FILE_MOST) == 0) {
    for (uint64_t txn = 2; txn <= 3; txn++)
      if (pages_copy_roots(&pages, txn, &snapshot) == 0 && pages_find_trees(&snapshot) == 0)
        walk_all(&snapshot);
    pages_close(&pages);
  }
  close(fd);
  return 0;
}
