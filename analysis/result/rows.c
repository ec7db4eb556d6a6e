#include "result/rows.h"

#include "mat.h"

#include <stdlib.h>
#include <string.h>

static char *get_text(const char *at)
{
    char *text;
    memcpy(&text, at, sizeof text);
    return text;
}

static rsd_value value_of(const char *item, const rows_field *f)
{
    const char *at = item + f->offset;
    rsd_value v = { 0 };
    if (f->column.type == RSD_COLUMN_TEXT)
        v.text = get_text(at) ? get_text(at) : "";
    else if (f->column.type == RSD_COLUMN_INT)
        memcpy(&v.integer, at, sizeof v.integer);
    else
        memcpy(&v.real, at, sizeof v.real);
    return v;
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
            values[i * s->fields + c] = value_of((const char *)items + i * s->size, &s->field[c]);
    err = rsd_store_table(store, s->path, s->description, columns, s->fields, values, count);
done:
    free(values);
    free(columns);
    return err;
}

static int take(const rsd_table *t, size_t row, const rows_field *f, char *item)
{
    const size_t k = rsd_table_column(t, f->column.name);
    char *at = item + f->offset;
    const bool there = k != SIZE_MAX && t->column[k].type == f->column.type;
    const rsd_value *v = there ? &t->value[row * t->columns + k] : NULL;
    if (f->column.type == RSD_COLUMN_TEXT) {
        char *text = strdup(v ? v->text : "");
        memcpy(at, &text, sizeof text);
        return text ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "text of a row");
    }
    if (v && f->column.type == RSD_COLUMN_INT)
        memcpy(at, &v->integer, sizeof v->integer);
    else if (v)
        memcpy(at, &v->real, sizeof v->real);
    return RSD_OK;
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
    for (size_t i = 0; i < t.rows; i++) {
        memcpy(out + i * s->size, s->blank, s->size);
        ++*count;
        for (size_t c = 0; c < s->fields; c++)
            RSD_TRY_DONE(take(&t, i, &s->field[c], out + i * s->size));
    }
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

void rows_free_texts(const rows_schema *s, void *item)
{
    for (size_t c = 0; c < s->fields; c++)
        if (s->field[c].column.type == RSD_COLUMN_TEXT) {
            char *at = (char *)item + s->field[c].offset, *none = NULL;
            free(get_text(at));
            memcpy(at, &none, sizeof none);
        }
}

void rows_free(const rows_schema *s, void *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rows_free_texts(s, (char *)items + i * s->size);
    free(items);
}
