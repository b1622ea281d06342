/* SPDX-License-Identifier: MIT */
/*
 * model: which model a request asks for.
 *
 *     struct model model;
 *     struct idem_span name = model_asked_for(request, &model);     // "gpt-4o"; empty: none
 *
 * The name may point into `model` or into the request.
 */
#ifndef IDEMSHIM_STORE_JUDGE_MODEL_H
#define IDEMSHIM_STORE_JUDGE_MODEL_H

#include "store/store.h"

/* None is longer. */
struct model {
  char name[240];
  size_t len;
};

/* The one in the body, else what stands behind one of the words that providers put before it in a path. */
struct idem_span model_asked_for(const struct idem_request *request, struct model *model);

#endif
