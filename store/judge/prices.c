/* SPDX-License-Identifier: MIT */
#include "store/judge/prices.h"

#include "config/kernel.h"
#include "store/json/json_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* LiteLLM's file has 2 MB; longer ones than this are something else. */
enum { FILE_MOST = 64 << 20, NAME_MOST = 256 };

/* A rate that the file does not tell is negative. Names point into the text, or are decoded there. */
struct price {
  struct idem_span name;
  double rate[PRICE_RATES];
};

struct prices {
  char *text;
  struct price *at; /* sorted by name */
  size_t count, room;
};

static const char *const members[PRICE_RATES] = {
    [PRICE_INPUT] = "input_cost_per_token",
    [PRICE_OUTPUT] = "output_cost_per_token",
    [PRICE_CACHED] = "cache_read_input_token_cost",
    [PRICE_WRITTEN] = "cache_creation_input_token_cost",
};

/* Negative for what is none. Whatever language the program speaks, the file has points. */
static double number(struct idem_span text)
{
  char copy[64], *end;
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!text.len || text.len >= sizeof(copy) || !plain)
    return -1;
  memcpy(copy, text.data, text.len);
  copy[text.len] = '\0';
  double value = strtod_l(copy, &end, plain);
  freelocale(plain);
  return *end || !isfinite(value) || value < 0 ? -1 : value;
}

static struct price *add(struct prices *prices, struct idem_span name)
{
  if (prices->count == prices->room) {
    size_t room = prices->room ? 2 * prices->room : 64;
    struct price *more = realloc(prices->at, room * sizeof(*more));
    if (!more)
      return NULL;
    prices->at = more;
    prices->room = room;
  }
  struct price *price = &prices->at[prices->count++];
  *price = (struct price){.name = name, .rate = {-1, -1, -1, -1}};
  return price;
}

/* "gpt-4o 2.50 10 1.25", a comment, or nothing. -EINVAL for anything else. */
static int read_line(struct prices *prices, struct idem_span line)
{
  struct price *price = NULL;
  const char *comment = line.len ? memchr(line.data, '#', line.len) : NULL;
  size_t len = comment ? (size_t)(comment - line.data) : line.len;
  int rates = 0;
  for (size_t at = 0, end; at < len; at = end + 1) {
    for (end = at; end < len && !memchr(" \t\r", line.data[end], 3);)
      end++;
    struct idem_span word = {line.data + at, end - at};
    if (!word.len)
      continue;
    if (!price) {
      if (!(price = add(prices, word)))
        return -ENOMEM;
    } else if (rates == PRICE_RATES || (price->rate[rates++] = number(word) / 1e6) < 0) {
      return -EINVAL;
    }
  }
  return price && rates <= PRICE_OUTPUT ? -EINVAL : 0;
}

static int read_lines(struct prices *prices, size_t len, size_t *number)
{
  int rc = 0;
  const char *end = prices->text + len, *next;
  for (const char *line = prices->text; rc == 0 && line < end; line = next + 1) {
    next = memchr(line, '\n', (size_t)(end - line));
    next = next ? next : end;
    ++*number;
    rc = read_line(prices, (struct idem_span){line, (size_t)(next - line)});
  }
  return rc;
}

/* What a name says takes no more room than how it is written, and stands in its place then. */
static struct idem_span decoded(struct prices *prices, struct idem_span name)
{
  char said[2 * NAME_MOST];
  bool odd;
  if (!memchr(name.data, '\\', name.len) || name.len > NAME_MOST)
    return name;
  size_t len = json_string_decode(name, said, &odd);
  if (len > name.len)
    return name;
  memcpy(prices->text + (name.data - prices->text), said, len);
  return (struct idem_span){name.data, len};
}

/* Members of an object of objects; all else of it is passed over. */
static int read_json(struct prices *prices, size_t len, size_t *line)
{
  struct json_cursor cursor;
  struct price *price = NULL;
  int rc = 0;
  json_cursor_init(&cursor, (struct idem_span){prices->text, len});
  for (enum cursor_event event; rc == 0 && (event = json_cursor_next(&cursor)) > CURSOR_END;) {
    if (event == CURSOR_OBJECT && cursor.depth == 1) {
      /* Behind the member's name, so that the text that is still to be read stays as it is. */
      rc = (price = add(prices, decoded(prices, cursor.name))) ? 0 : -ENOMEM;
    } else if (event == CURSOR_NUMBER && cursor.depth == 2 && price) {
      for (int i = 0; i < PRICE_RATES; i++)
        if (json_string_is(cursor.name, members[i], strlen(members[i])))
          price->rate[i] = number(cursor.text);
    }
  }
  for (const char *at = prices->text; at < cursor.at && (at = memchr(at, '\n', (size_t)(cursor.at - at)));)
    at++, ++*line;
  ++*line;
  bool whole = json_cursor_release(&cursor);
  return rc < 0 ? rc : whole ? 0 : -EILSEQ;
}

/* By bytes, then by length. */
static int compare(struct idem_span a, struct idem_span b)
{
  int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Of two of one name the one that stands later comes first, since that is the one that holds. */
static int by_name(const void *a, const void *b)
{
  const struct price *x = a, *y = b;
  int order = compare(x->name, y->name);
  return order ? order : (x->name.data < y->name.data) - (x->name.data > y->name.data);
}

/* What it was when it was opened. */
static int read_file(struct prices *prices, const char *path, size_t *len)
{
  struct stat file;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
  if (fd < 0)
    return -errno;
  if (idem_fstat(fd, &file) < 0)
    rc = -errno;
  else if (!S_ISREG(file.st_mode))
    rc = S_ISDIR(file.st_mode) ? -EISDIR : -ESPIPE; /* a pipe could be waited for without an end */
  else if (file.st_size > FILE_MOST)
    rc = -EFBIG;
  else if (!(prices->text = malloc((size_t)file.st_size + 1)))
    rc = -ENOMEM;
  for (ssize_t n = 1; rc == 0 && n > 0; *len += (size_t)(n > 0 ? n : 0))
    if ((n = read(fd, prices->text + *len, (size_t)file.st_size - *len)) < 0)
      rc = -errno;
  close(fd);
  return rc;
}

static bool has_price(const struct prices *prices)
{
  for (size_t i = 0; i < prices->count; i++)
    if (prices->at[i].rate[PRICE_INPUT] >= 0)
      return true;
  return false;
}

static int fill(struct prices *prices, const char *path, struct idem_error *error)
{
  size_t len = 0, line = 0, blank;
  int rc = read_file(prices, path, &len);
  if (rc < 0)
    return idem_error_set(error, rc, "%s: %s", path, strerror(-rc));
  for (blank = 0; blank < len && memchr(" \t\r\n", prices->text[blank], 4);)
    blank++;
  /* Which form it has is told by what is in it, and not by its name, which is the user's. */
  bool json = blank < len && prices->text[blank] == '{';
  rc = json ? read_json(prices, len, &line) : read_lines(prices, len, &line);
  if (rc == -ENOMEM)
    return idem_error_set(error, rc, "%s: no memory", path);
  if (rc < 0 && json)
    return idem_error_set(error, rc, "%s: line %zu: it is no JSON from here on", path, line);
  if (rc < 0)
    return idem_error_set(
        error, rc,
        "%s: line %zu: expected MODEL INPUT OUTPUT [CACHED [WRITTEN]], dollars for a million tokens", path,
        line);
  if (!has_price(prices))
    return idem_error_set(
        error, -ENODATA,
        "%s: no model has a price in it; expected the JSON that LiteLLM publishes, or lines of MODEL INPUT "
        "OUTPUT",
        path);
  qsort(prices->at, prices->count, sizeof(*prices->at), by_name);
  return 0;
}

int prices_load(struct prices **out, const char *path, struct idem_error *error)
{
  struct prices *prices = calloc(1, sizeof(*prices));
  int rc = prices ? fill(prices, path, error) : idem_error_set(error, -ENOMEM, "%s: no memory", path);
  if (rc < 0)
    prices_free(prices);
  else
    *out = prices;
  return rc;
}

void prices_free(struct prices *prices)
{
  if (!prices)
    return;
  free(prices->at);
  free(prices->text);
  free(prices);
}

static const struct price *exactly(const struct prices *prices, struct idem_span name)
{
  size_t low = 0, high = prices->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare(prices->at[middle].name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < prices->count && compare(prices->at[low].name, name) == 0 ? &prices->at[low] : NULL;
}

/* Without "-2024-08-06" or "-20240806"; fewer digits are a version, such as "-4" or
 * "-001", and another price. */
static struct idem_span undated(struct idem_span name)
{
  enum { DATE = 9 };
  size_t digits = name.len;
  while (digits > 0 &&
         ((name.data[digits - 1] >= '0' && name.data[digits - 1] <= '9') || name.data[digits - 1] == '-'))
    digits--;
  return (struct idem_span){name.data, name.len - digits < DATE ? 0 : digits};
}

static const struct price *find(const struct prices *prices, struct idem_span name)
{
  const struct price *price = NULL;
  while (name.len) {
    /* As it is written first: a provider's own price of a model may stand under its prefix, and a prefix may
     * have prefixes of its own: "openrouter/openai/gpt-4o". */
    if ((price = exactly(prices, name)))
      return price;
    const char *slash = memchr(name.data, '/', name.len);
    if (!slash || slash + 1 == name.data + name.len)
      break;
    name = (struct idem_span){slash + 1, name.len - (size_t)(slash + 1 - name.data)};
  }
  name = undated(name);
  return name.len ? exactly(prices, name) : NULL;
}

bool prices_find(const struct prices *prices, struct idem_span model, double rate[PRICE_RATES])
{
  const struct price *price = find(prices, model);
  if (!price || price->rate[PRICE_INPUT] < 0)
    return false;
  for (int i = 0; i < PRICE_RATES; i++)
    rate[i] = price->rate[i] >= 0 ? price->rate[i] : i == PRICE_OUTPUT ? 0 : price->rate[PRICE_INPUT];
  return true;
}
