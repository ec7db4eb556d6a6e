/* Structs to tables and back, by a list of their fields. */
#include "result/rows.h"

#include "alloc.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool owns_text(const rows_field *f)
{
    return f->column.type == RSD_COLUMN_TEXT && !f->words;
}

/* Fields are reached by memcpy: their texts are const to all others. */
static char *get_text(const rows_field *f, const void *item)
{
    char *text;
    memcpy(&text, (const char *)item + f->offset, sizeof text);
    return text;
}

static void put_text(const rows_field *f, void *item, char *text)
{
    memcpy((char *)item + f->offset, &text, sizeof text);
}

static rsd_value value_of(const rows_field *f, const void *item)
{
    const char *at = (const char *)item + f->offset;
    rsd_value v = { 0 };
    if (f->words) {
        int word;
        memcpy(&word, at, sizeof word);
        v.text = f->words[word];
    } else if (f->column.type == RSD_COLUMN_TEXT)
        v.text = get_text(f, item) ? get_text(f, item) : "";
    else if (f->column.type == RSD_COLUMN_INT)
        memcpy(&v.integer, at, sizeof v.integer);
    else
        memcpy(&v.real, at, sizeof v.real);
    return v;
}

const rows_field *rows_find(const rows_schema *s, const char *column)
{
    for (size_t c = 0; c < s->fields; c++)
        if (strcmp(s->field[c].column.name, column) == 0)
            return &s->field[c];
    return NULL;
}

double rows_number(const rows_field *f, const void *item)
{
    const rsd_value v = value_of(f, item);
    if (f->column.type == RSD_COLUMN_TEXT)
        return NAN;
    return f->column.type == RSD_COLUMN_INT ? (double)v.integer : v.real;
}

int rows_write(const rows_schema *s, rsd_store *store, const void *items, size_t count)
{
    rsd_column *columns = NULL;
    rsd_value *values = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(s->fields, 1, sizeof *columns, &columns));
    RSD_TRY_DONE(rsd_array_alloc(count, s->fields, sizeof *values, &values));
    for (size_t c = 0; c < s->fields; c++)
        columns[c] = s->field[c].column;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < s->fields; c++)
            values[i * s->fields + c] = value_of(&s->field[c], (const char *)items + i * s->size);
    err = rsd_store_table(store, s->path, s->description, columns, s->fields, values, count);
done:
    free(values);
    free(columns);
    return err;
}

/* ---- reading ---- */

/* A column of a file for a field of ours. */
typedef struct {
    const rows_schema *schema;
    const rows_field *field;
    const char *file;
    size_t at; /* SIZE_MAX: the file has no such column */
    rsd_column_type type;
} column;

static int fail(const column *c, const char *what)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: %s: column %s %s", c->file, c->schema->path,
                    c->field->column.name, what);
}

/* Which column is the field's, and can it be? */
static int find_column(const rsd_table *t, column *c)
{
    c->at = rsd_table_column(t, c->field->column.name);
    if (c->at == SIZE_MAX) {
        const bool needed = (size_t)(c->field - c->schema->field) < c->schema->needed;
        return needed ? fail(c, "is not there") : RSD_OK;
    }
    c->type = t->column[c->at].type;
    const bool text = c->type == RSD_COLUMN_TEXT;
    if (text != (c->field->column.type == RSD_COLUMN_TEXT))
        return fail(c, text ? "holds texts, want numbers" : "holds numbers, want texts");
    return RSD_OK;
}

static int take_word(const column *c, const char *text, char *at)
{
    for (int w = 0; c->field->words[w]; w++)
        if (strcmp(c->field->words[w], text) == 0) {
            memcpy(at, &w, sizeof w);
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "%s: %s: column %s holds '%s', which this program does not know",
                    c->file, c->schema->path, c->field->column.name, text);
}

static int take_integer(const column *c, rsd_value v, char *at)
{
    int64_t x = v.integer;
    if (c->type == RSD_COLUMN_REAL) {
        if (!(fabs(v.real) < 0x1p63) || v.real != trunc(v.real))
            return fail(c, "holds a number that is no integer");
        x = (int64_t)v.real;
    }
    memcpy(at, &x, sizeof x);
    return RSD_OK;
}

static int take(const column *c, const rsd_table *t, size_t row, char *item)
{
    char *at = item + c->field->offset, *text;
    const rsd_value v = c->at == SIZE_MAX ? (rsd_value){ 0 } : t->value[row * t->columns + c->at];
    if (owns_text(c->field)) {
        RSD_TRY(rsd_copy_text(c->at == SIZE_MAX ? "" : v.text, &text));
        put_text(c->field, item, text);
        return RSD_OK;
    }
    if (c->at == SIZE_MAX)
        return RSD_OK;
    if (c->field->words)
        return take_word(c, v.text, at);
    if (c->field->column.type == RSD_COLUMN_INT)
        return take_integer(c, v, at);
    const double x = c->type == RSD_COLUMN_INT ? (double)v.integer : v.real;
    memcpy(at, &x, sizeof x);
    return RSD_OK;
}

/* The whole table; *count is that of structs whose texts are owned, after an error too. */
static int take_rows(const rows_schema *s, const rsd_store *store, const rsd_table *t, char *out,
                     size_t *count)
{
    column *columns;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(s->fields, 1, sizeof *columns, &columns));
    for (size_t c = 0; c < s->fields; c++) {
        columns[c] = (column){ .schema = s, .field = &s->field[c], .file = rsd_store_path(store) };
        RSD_TRY_DONE(find_column(t, &columns[c]));
    }
    for (size_t i = 0; i < t->rows; i++) {
        memcpy(out + i * s->size, s->blank, s->size);
        ++*count;
        for (size_t c = 0; c < s->fields; c++)
            RSD_TRY_DONE(take(&columns[c], t, i, out + i * s->size));
    }
done:
    free(columns);
    return err;
}

int rows_read(const rows_schema *s, const rsd_store *store, void *items, size_t *count)
{
    rsd_table t;
    char *out = NULL;
    int err = RSD_OK;
    memcpy(items, &out, sizeof out);
    *count = 0;
    if (!rsd_store_exists(store, s->path))
        return RSD_OK;
    RSD_TRY(rsd_store_read_table(store, s->path, &t));
    RSD_TRY_DONE(rsd_array_alloc(t.rows, s->size, 1, &out));
    err = take_rows(s, store, &t, out, count);
done:
    rsd_table_free(&t);
    if (err) {
        rows_free(s, out, *count);
        out = NULL;
        *count = 0;
    }
    memcpy(items, &out, sizeof out);
    return err;
}

/* ---- ownership ---- */

int rows_own_texts(const rows_schema *s, void *item)
{
    int err = RSD_OK;
    for (size_t c = 0; c < s->fields; c++) {
        char *text = NULL;
        if (!owns_text(&s->field[c]))
            continue;
        if (!err)
            err = rsd_copy_text(get_text(&s->field[c], item), &text);
        put_text(&s->field[c], item, text);
    }
    if (err)
        rows_free_texts(s, item);
    return err;
}

void rows_free_texts(const rows_schema *s, void *item)
{
    for (size_t c = 0; c < s->fields; c++)
        if (owns_text(&s->field[c])) {
            free(get_text(&s->field[c], item));
            put_text(&s->field[c], item, NULL);
        }
}

void rows_free(const rows_schema *s, void *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rows_free_texts(s, (char *)items + i * s->size);
    free(items);
}
