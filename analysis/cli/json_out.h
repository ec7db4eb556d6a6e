/* JSON on standard output, the only way to it: a tree is filled, and printed when it is whole.
 *
 * A failure while it is filled (memory) sticks: what is put after it is nothing, and json_print
 * fails, so that no list comes out short.  Texts need not be UTF-8: other bytes are written \xNN
 * (utf8.h).  Numbers that are not finite are null.  A key is NULL in a list. */
#ifndef RSD_JSON_OUT_H
#define RSD_JSON_OUT_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct json_t json_t;

enum { JSON_OUT_DEPTH = 16 };
typedef struct {
    json_t *open[JSON_OUT_DEPTH]; /* open[0] is the whole; NULL after a failure */
    int depth;
} json_out;

/* Begin with an object, or a list, that is open.  Free with json_drop, or print. */
json_out json_begin_object(void);
json_out json_begin_list(void);

/* One that is open until json_close, in what is open. */
void json_open_object(json_out *j, const char *key);
void json_open_list(json_out *j, const char *key);
void json_close(json_out *j);

void json_put_text(json_out *j, const char *key, const char *value); /* NULL: null */
void json_put_int(json_out *j, const char *key, int64_t value);
void json_put_size(json_out *j, const char *key, size_t value);
void json_put_real(json_out *j, const char *key, double value);
void json_put_bool(json_out *j, const char *key, bool value);

/* All of it, for who says the same in words; NULL after a failure.  It stays j's. */
const json_t *json_whole(const json_out *j);

/* The tree is taken over, NULL is a failure. */
void json_put_tree(json_out *j, const char *key, json_t *value);

/* Print all and free it: indented and with a line end (real numbers to 17 digits, or to nine), or
 * as one line without.
 * Errors: RSD_ENOMEM (something of it could not be made), RSD_EIO. */
typedef enum { JSON_INDENTED, JSON_NINE_DIGITS, JSON_ONE_LINE } json_style;
RSD_CHECK int json_print(json_out *j, FILE *f, json_style style);
void json_drop(json_out *j);

#endif
