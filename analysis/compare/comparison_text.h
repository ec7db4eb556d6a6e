/* A comparison as tables, in words and as JSON. */
#ifndef RSD_COMPARISON_TEXT_H
#define RSD_COMPARISON_TEXT_H

#include "compare/comparison.h"

/* On standard output: tables, then the verdict. */
void comparison_print(const evidence *e, const comparison *c);

/* Of these tables those that go by case: ranks, predictions without quantizing, the verdict's parts
 * (comparison_cases.c). */
void comparison_print_cases(const evidence *e, const comparison *c);

/* The same as JSON (comparison_json.c).  Errors: RSD_ENOMEM, RSD_EIO. */
RSD_CHECK int comparison_print_json(const evidence *e, const comparison *c);

/* The verdict in plain words; caller frees, NULL when memory is out (comparison_words.c). */
char *comparison_verdict(const evidence *e, const comparison *c);

#endif
