/* Joining tables: rows by their keys. */
#include "result/union_rows.h"

#include "alloc.h"
#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const joined_table joined_tables[JOINED_TABLES] = {
    { "/spectra", { "model", "tensor", "spec", "what" }, "/models/%s/matrices/%s", false, true },
    { "/recovery/runs", { "run" }, "/recovery/%s", true, false },
    { "/recovery/layers", { "run", "tensor" }, "/recovery/%s", false, false },
    { "/sensitivity", { "model", "tensor", "spec", "init", "rank", "windows", "context" }, NULL, false, false },
    { "/prediction", { "model", "spec", "tensor", "metric", "rank" }, NULL, false, false },
};
/* clang-format on */

/* ---- keys and items of rows ---- */

static int column_of(const rsd_store *store, const joined_table *k, const rsd_table *t,
                     const char *name, size_t *at)
{
    *at = rsd_table_column(t, name);
    if (*at != SIZE_MAX)
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "%s: %s: column %s is not there", rsd_store_path(store), k->path,
                    name);
}

static int put_number(char **text, const char *before, const rsd_column *c, rsd_value v)
{
    if (c->type == RSD_COLUMN_INT)
        return rsd_format(text, "%s\t%lld", before, (long long)v.integer);
    return rsd_format(text, "%s\t%.17g", before, v.real);
}

/* The key columns as one text. */
static int make_key(const rsd_store *store, const joined_table *k, const rsd_table *t,
                    const rsd_value *v, char **out)
{
    RSD_TRY(rsd_copy_text("", out));
    for (size_t i = 0; k->key[i]; i++) {
        size_t at;
        char *longer = NULL;
        int err = column_of(store, k, t, k->key[i], &at);
        if (!err)
            err = t->column[at].type == RSD_COLUMN_TEXT
                      ? rsd_format(&longer, "%s\t%s", *out, v[at].text)
                      : put_number(&longer, *out, &t->column[at], v[at]);
        free(*out);
        *out = longer;
        RSD_TRY(err);
    }
    return RSD_OK;
}

/* The path of the group that a row belongs to; the first keys are texts where there is one. */
static int make_item(const joined_table *k, const rsd_table *t, const rsd_value *v, char **out)
{
    char *name[2] = { NULL, NULL };
    int err = RSD_OK;
    *out = NULL;
    if (!k->item)
        return RSD_OK;
    for (size_t i = 0; !err && i < 2 && k->key[i]; i++) {
        const size_t at = rsd_table_column(t, k->key[i]);
        name[i] = rsd_store_escape(t->column[at].type == RSD_COLUMN_TEXT ? v[at].text : "");
        err = name[i] ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of a row");
    }
    const char *second = strstr(strstr(k->item, "%s") + 2, "%s");
    const char *first = strstr(k->item, "%s");
    if (!err && !second)
        err = rsd_format(out, "%.*s%s", (int)(first - k->item), k->item, name[0]);
    else if (!err)
        err = rsd_format(out, "%.*s%s%.*s%s", (int)(first - k->item), k->item, name[0],
                         (int)(second - first - 2), first + 2, name[1]);
    free(name[0]);
    free(name[1]);
    return err;
}

static bool is_skipped(const union_skip *skip, const rsd_table *t, const rsd_value *v)
{
    const size_t at = rsd_table_column(t, "model");
    return skip && at != SIZE_MAX && t->column[at].type == RSD_COLUMN_TEXT &&
           skip->skip(skip->context, v[at].text);
}

/* ---- columns ---- */

static rsd_value blank_of(const rsd_column *c)
{
    rsd_value v = { .integer = 0 };
    if (c->type == RSD_COLUMN_TEXT)
        v.text = "";
    else if (c->type == RSD_COLUMN_REAL)
        v.real = NAN;
    return v;
}

/* A value of a column that may be of another type in an older file. */
static rsd_value convert(rsd_value v, const rsd_column *from, const rsd_column *to)
{
    if (from->type == to->type)
        return v;
    if (from->type == RSD_COLUMN_INT && to->type == RSD_COLUMN_REAL)
        return (rsd_value){ .real = (double)v.integer };
    if (from->type == RSD_COLUMN_REAL && to->type == RSD_COLUMN_INT && fabs(v.real) < 0x1p63)
        return (rsd_value){ .integer = (int64_t)v.real };
    return blank_of(to);
}

static size_t find_column(const rsd_column *list, size_t count, const char *name)
{
    size_t c = 0;
    while (c < count && strcmp(list[c].name, name) != 0)
        c++;
    return c < count ? c : SIZE_MAX;
}

static int move_values(const rsd_value *from, const rsd_column *old, size_t olds,
                       const rsd_column *new, size_t news, rsd_value **out)
{
    RSD_TRY(rsd_array_alloc(news, 1, sizeof **out, out));
    for (size_t c = 0; c < news; c++) {
        const size_t at = find_column(old, olds, new[c].name);
        (*out)[c] = at == SIZE_MAX ? blank_of(&new[c]) : convert(from[at], &old[at], &new[c]);
    }
    return RSD_OK;
}

/* The columns of a source come first, then those that only the sources before it have. */
static int take_columns(union_table *t, const rsd_table *source)
{
    rsd_column *column;
    size_t columns = source->columns;
    RSD_TRY(rsd_array_alloc(source->columns + t->columns, 1, sizeof *column, &column));
    memcpy(column, source->column, source->columns * sizeof *column);
    for (size_t c = 0; c < t->columns; c++)
        if (find_column(source->column, source->columns, t->column[c].name) == SIZE_MAX)
            column[columns++] = t->column[c];
    for (size_t i = 0; i < t->rows; i++) {
        rsd_value *moved;
        const int err =
            move_values(t->row[i].value, t->column, t->columns, column, columns, &moved);
        if (err) {
            free(column);
            return err;
        }
        free(t->row[i].value);
        t->row[i].value = moved;
    }
    free(t->column);
    t->column = column;
    t->columns = columns;
    return RSD_OK;
}

static bool same_columns(const union_table *t, const rsd_table *source)
{
    bool same = t->columns == source->columns;
    for (size_t c = 0; same && c < t->columns; c++)
        same = strcmp(t->column[c].name, source->column[c].name) == 0 &&
               t->column[c].type == source->column[c].type;
    return same;
}

/* ---- joining ---- */

/* A row takes the place of the one with its key. */
static int take_row(union_table *t, const rsd_store *store, const rsd_table *source,
                    const rsd_value *v, bool old)
{
    char *key = NULL;
    size_t at;
    union_row row = { .old = old };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_grow(&t->row, &t->capacity, t->rows + 1, sizeof *t->row));
    RSD_TRY_DONE(make_key(store, t->kind, source, v, &key));
    RSD_TRY_DONE(text_index_add(&t->index, key, t->rows, &at));
    if (at < t->rows && t->kind->keeps)
        goto done;
    if (at < t->rows)
        row.old = t->row[at].old;
    RSD_TRY_DONE(make_item(t->kind, source, v, &row.item));
    RSD_TRY_DONE(
        move_values(v, source->column, source->columns, t->column, t->columns, &row.value));
    if (at < t->rows) {
        free(t->row[at].value);
        free(t->row[at].item);
    } else
        t->rows++;
    t->row[at] = row;
    row = (union_row){ 0 };
done:
    free(row.value);
    free(row.item);
    free(key);
    return err;
}

int union_table_add(union_table *t, const rsd_store *store, bool old, const union_skip *skip)
{
    RSD_TRY(rsd_room(&t->source, t->sources, 1, sizeof *t->source));
    RSD_TRY(rsd_store_read_table(store, t->kind->path, &t->source[t->sources]));
    const rsd_table *source = &t->source[t->sources++];
    if (rsd_store_has(store, t->kind->path, "description")) {
        free(t->description);
        t->description = NULL;
        RSD_TRY(rsd_store_get_text(store, t->kind->path, "description", &t->description));
    }
    if (!same_columns(t, source))
        RSD_TRY(take_columns(t, source));
    for (size_t i = 0; i < source->rows; i++) {
        const rsd_value *v = source->value + i * source->columns;
        if (is_skipped(skip, source, v))
            t->left_out = true;
        else
            RSD_TRY(take_row(t, store, source, v, old));
    }
    return RSD_OK;
}

int union_table_each_skipped(const joined_table *kind, const rsd_store *store,
                             const union_skip *skip, int (*add)(void *context, const char *item),
                             void *context)
{
    rsd_table t;
    int err = RSD_OK;
    if (!kind->owns || !rsd_store_exists(store, kind->path))
        return RSD_OK;
    RSD_TRY(rsd_store_read_table(store, kind->path, &t));
    for (size_t i = 0; !err && i < t.rows; i++) {
        const rsd_value *v = t.value + i * t.columns;
        char *item = NULL, *key = NULL;
        if (!is_skipped(skip, &t, v))
            continue;
        err = make_key(store, kind, &t, v, &key); /* its columns are there */
        if (!err)
            err = make_item(kind, &t, v, &item);
        if (!err)
            err = add(context, item);
        free(item);
        free(key);
    }
    rsd_table_free(&t);
    return err;
}

bool union_table_names(const union_table *t, const char *group)
{
    const size_t at = find_column(t->column, t->columns, "model");
    bool named = false;
    for (size_t i = 0; at != SIZE_MAX && !named && i < t->rows; i++) {
        char *name = rsd_store_escape(t->row[i].value[at].text);
        named = name && strcmp(name, group) == 0;
        free(name);
    }
    return named;
}

/* ---- writing ---- */

typedef struct {
    const union_row *row;
    size_t rank, at;
} placed_row;

static int by_rank(const void *a, const void *b)
{
    const placed_row *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

int union_table_write(const union_table *t, rsd_store *to,
                      size_t (*rank)(const void *context, const union_row *row),
                      const void *context)
{
    placed_row *placed = NULL;
    rsd_value *values = NULL;
    int err = RSD_OK;
    if (t->rows == 0 && t->left_out)
        return RSD_OK; /* all of it was forgotten */
    RSD_TRY_DONE(rsd_array_alloc(t->rows, 1, sizeof *placed, &placed));
    RSD_TRY_DONE(rsd_array_alloc(t->rows, t->columns, sizeof *values, &values));
    for (size_t i = 0; i < t->rows; i++)
        placed[i] = (placed_row){ &t->row[i], rank(context, &t->row[i]), i };
    if (t->rows)
        qsort(placed, t->rows, sizeof *placed, by_rank);
    for (size_t i = 0; i < t->rows; i++)
        memcpy(values + i * t->columns, placed[i].row->value, t->columns * sizeof *values);
    err = rsd_store_table(to, t->kind->path, t->description ? t->description : "", t->column,
                          t->columns, values, t->rows);
done:
    free(values);
    free(placed);
    return err;
}

void union_table_free(union_table *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        free(t->row[i].value);
        free(t->row[i].item);
    }
    for (size_t i = 0; i < t->sources; i++)
        rsd_table_free(&t->source[i]);
    text_index_free(&t->index);
    free(t->row);
    free(t->source);
    free(t->column);
    free(t->description);
    *t = (union_table){ 0 };
}
