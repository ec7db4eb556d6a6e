/* A comparison as tables, in words and as JSON. */
#ifndef RSD_COMPARISON_TEXT_H
#define RSD_COMPARISON_TEXT_H

#include "compare/comparison.h"

#include <jansson.h>

/* On standard output: tables, then the verdict. */
void comparison_print(const evidence *e, const comparison *c);

/* Caller releases; NULL when memory is out (comparison_json.c). */
json_t *comparison_json(const evidence *e, const comparison *c);

/* The verdict in plain words; caller frees, NULL when memory is out (comparison_words.c). */
char *comparison_verdict(const comparison *c);

#endif
