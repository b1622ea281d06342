/* SPDX-License-Identifier: MIT */
/* The table from libcurl's objects (curl_mime, curl_mimepart) to what we remember of them. Forms are not made
 * by the thousand for each call, so one lock will do. */
#ifndef IDEMSHIM_SHIM_FORM_TABLE_H
#define IDEMSHIM_SHIM_FORM_TABLE_H

/* An entry, the first member of what is remembered. */
struct tracked {
  const void *real; /* NULL: not in the table */
  struct tracked *next;
};

void form_table_add(struct tracked *entry, const void *real);
void form_table_remove(struct tracked *entry);

/* NULL if there is none. Costs a comparison while the table is empty. */
struct tracked *form_table_find(const void *real);

/* For pthread_atfork() alone. */
void form_table_lock_all(void);
void form_table_unlock_all(void);

#endif
