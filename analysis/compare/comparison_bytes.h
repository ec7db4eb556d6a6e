/* Corrections against bases of their size, printed: a table for each text, and JSON. */
#ifndef RSD_COMPARISON_BYTES_H
#define RSD_COMPARISON_BYTES_H

#include "cli/json_out.h"
#include "result/same_bytes.h"

/* On standard output; nothing where the list is empty and nothing was left out. */
void comparison_print_bytes(const same_bytes_list *list);

/* The key "same_bytes" of the object that is open. */
void comparison_put_bytes(json_out *j, const same_bytes_list *list);

#endif
