/* SPDX-License-Identifier: MIT */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *rule_text;

static char *get_rule(const char *name)
{
  if (!strcmp(name, "IDEMSHIM_RULES"))
    return (char *)(uintptr_t)rule_text;
  return !strcmp(name, "HOME") ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

void shop_rule(struct shop *shop, const char *fields)
{
  char text[512];
  struct idem_error error;

  snprintf(text, sizeof(text), "host=* %s", fields);
  rule_text = text;
  idem_config_release(&shop->config);
  cr_assert_eq(idem_config_load(&shop->config, get_rule, &error), 0, "%s", error.text);
}

void shop_open(struct shop *shop, const char *fields)
{
  const char *tmp = getenv("TMPDIR");
  struct idem_error error = {""};

  memset(shop, 0, sizeof(*shop));
  snprintf(shop->dir, sizeof(shop->dir), "%s/idemshim-store.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert_not_null(mkdtemp(shop->dir));
  shop_rule(shop, fields);
  shop->options = (struct idem_store_options){.dir = shop->dir, .size = 64 << 20};
  cr_assert_eq(idem_store_open(&shop->store, &shop->options, &error), 0, "%s", error.text);
}

int shop_reopen(struct shop *shop, struct idem_error *error)
{
  idem_store_close(shop->store);
  shop->store = NULL;
  return idem_store_open(&shop->store, &shop->options, error);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat;
  (void)flag;
  (void)walk;
  return remove(path);
}

void shop_close(struct shop *shop)
{
  idem_store_close(shop->store);
  idem_config_release(&shop->config);
  nftw(shop->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *shop_path(const struct shop *shop, const char *file)
{
  static char path[256];

  snprintf(path, sizeof(path), "%s/%s", shop->dir, file);
  return path;
}

uint64_t shop_counter(const struct shop *shop, enum idem_counter counter)
{
  struct idem_stats stats;
  struct idem_error error = {""};

  cr_assert_eq(idem_store_stats(shop->store, &stats, &error), 0, "%s", error.text);
  return stats.counter[counter];
}

struct order order_of(struct shop *shop, const char *body)
{
  struct order order = {.shop = shop, .call = IDEM_CALL_INIT};

  order.request = (struct idem_request){.method = SPAN("POST"),
                                        .origin = SPAN("https://api.example.com:443"),
                                        .path = SPAN("/v1/chat"),
                                        .shape = SPAN("gzip"),
                                        .body = SPAN(body)};
  order_header(&order, "Content-Type: application/json");
  order_header(&order, "Authorization: Bearer test-credential-alpha");
  return order;
}

void order_header(struct order *order, const char *line)
{
  order->headers[order->request.header_count++] = SPAN(line);
}

void order_bare(struct order *order)
{
  order->request.header_count = 0;
}

int order_enter(struct order *order)
{
  order->request.headers = order->headers;
  order->request.rule = order->shop->config.rules;
  order->error = (struct idem_error){""};
  int verdict = idem_store_enter(order->shop->store, &order->request, &order->call, &order->error);
  cr_assert_geq(verdict, 0, "%s", order->error.text);
  return verdict;
}

void order_leave(struct order *order, bool delivered)
{
  idem_store_leave(order->shop->store, &order->call, delivered);
}

struct idem_recording recording_of(struct idem_chunk *chunk, const char *headers, const char *body)
{
  *chunk = (struct idem_chunk){(uint32_t)strlen(body), 1};
  return (struct idem_recording){.status = 200,
                                 .started_us = 1,
                                 .duration_ms = 10,
                                 .headers = SPAN(headers),
                                 .body = SPAN(body),
                                 .facts = SPAN("facts"),
                                 .chunks = chunk,
                                 .chunk_count = 1,
                                 .framed = true,
                                 .delivered = true};
}

int order_commit(struct order *order, const char *answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, answer);

  return idem_store_commit(order->shop->store, &order->call, &order->request, &recording, &order->error);
}

int order_ask(struct order *order, const char *answer)
{
  int verdict;

  order->call = (struct idem_call)IDEM_CALL_INIT;
  while ((verdict = order_enter(order)) == IDEM_BUSY) {
    idem_store_wait(order->shop->store, &order->call, 100);
    order_leave(order, false);
  }
  if (verdict == IDEM_HIT)
    snprintf(order->body, sizeof(order->body), "%.*s", (int)order->call.answer.body.len,
             order->call.answer.body.data);
  if (verdict == IDEM_OWNED)
    cr_assert_eq(order_commit(order, answer), IDEM_STORED, "%s", order->error.text);
  order_leave(order, true);
  return verdict;
}

const char *order_key(struct order *order)
{
  static char ids[32][IDEM_ID_SIZE];
  static unsigned next;
  char *id = ids[next++ % 32];

  order->call = (struct idem_call)IDEM_CALL_INIT;
  order_enter(order);
  memcpy(id, order->call.id, IDEM_ID_SIZE);
  order_leave(order, false);
  return id;
}
