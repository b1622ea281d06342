/* SPDX-License-Identifier: MIT */
#include "store/judge/model.h"

#include "store/json/json_cursor.h"
#include "store/json/json_pointer.h"

#include <string.h>

/* What it says, since PHP writes "openai\/gpt-4o". */
static void note_model(void *arg, size_t which, struct idem_span value)
{
  struct model *model = arg;
  bool odd;
  (void)which;
  if (value.len > 2 && *value.data == '"' && value.len - 2 <= sizeof(model->name) / 2)
    model->len = json_string_decode((struct idem_span){value.data + 1, value.len - 2}, model->name, &odd);
}

struct idem_span model_asked_for(const struct idem_request *request, struct model *asked)
{
  static char member[] = "/model";
  static const char *const words[] = {"/models/", "/model/", "/deployments/"};
  const struct idem_words members = {(char *[]){member}, 1};
  struct idem_span model;
  asked->len = 0;
  if (json_find(request->body, &members, note_model, asked) && asked->len)
    return (struct idem_span){asked->name, asked->len};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    size_t len = strlen(words[i]), left;
    const char *at = request->path.len ? memmem(request->path.data, request->path.len, words[i], len) : NULL;
    if (!at)
      continue;
    left = (size_t)(request->path.data + request->path.len - (at += len));
    model.data = at;
    for (model.len = 0; model.len < left && at[model.len] != '/' && at[model.len] != ':';)
      model.len++;
    return model;
  }
  return (struct idem_span){"", 0};
}
