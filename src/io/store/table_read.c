/* Reading tables.  Tables of ours, and of others: texts of fixed width, numbers of any width,
 * missing notes. */
#include "io/store/handle.h"

#include <stdlib.h>
#include <string.h>

/* Memory that is freed at once: a list of blocks.  HDF5 takes the strings it reads from here. */
typedef struct block {
    struct block *next;
    char data[];
} block;

static void *take(size_t size, void *list)
{
    size_t bytes;
    block *b = __builtin_add_overflow(size, sizeof(block), &bytes) ? NULL : malloc(bytes);
    if (!b)
        return NULL;
    b->next = *(block **)list;
    *(block **)list = b;
    return b->data;
}

static void keep(void *memory, void *list) { (void)memory, (void)list; }

static char *take_text(const char *text, void *list)
{
    const size_t size = strlen(text) + 1;
    char *copy = take(size, list);
    return copy ? memcpy(copy, text, size) : NULL;
}

void rsd_table_free(rsd_table *t)
{
    for (block *b = t->memory, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(t->column);
    free(t->value);
    *t = (rsd_table){ 0 };
}

size_t rsd_table_column(const rsd_table *t, const char *name)
{
    for (size_t j = 0; j < t->columns; j++)
        if (strcmp(t->column[j].name, name) == 0)
            return j;
    return SIZE_MAX;
}

/* A table that is being read. */
typedef struct {
    const rsd_store *s;
    const char *path;
    hid_t dataset, type;
    rsd_table *table;
} reading;

static int no_memory(const reading *r)
{
    return RSD_FAIL(RSD_ENOMEM, "%s: no memory for table %s", r->s->path, r->path);
}

/* Texts of the attribute `name`, one per column, or NULLs where a file by others has none. */
static int read_notes(const reading *r, const char *name, rsd_names *out)
{
    *out = (rsd_names){ 0 };
    if (H5Aexists(r->dataset, name) <= 0)
        return RSD_OK;
    RSD_TRY(rsd_store_strings(r->s, r->path, r->dataset, name, out));
    if (out->count != r->table->columns)
        rsd_names_free(out);
    return RSD_OK;
}

static int read_column(const reading *r, unsigned j)
{
    rsd_column *column = &r->table->column[j];
    char *name = H5Tget_member_name(r->type, j);
    const H5T_class_t class = H5Tget_member_class(r->type, j);
    int err = RSD_OK;
    if (!name)
        return STORE_FAIL(r->s, "read", r->path);
    if (class == H5T_STRING)
        column->type = RSD_COLUMN_TEXT;
    else if (class == H5T_FLOAT)
        column->type = RSD_COLUMN_REAL;
    else if (class == H5T_INTEGER || class == H5T_ENUM)
        column->type = RSD_COLUMN_INT;
    else
        err = RSD_FAIL(RSD_EFORMAT, "%s: column '%s' of %s is neither text nor a number",
                       r->s->path, name, r->path);
    if (!err && !(column->name = take_text(name, &r->table->memory)))
        err = no_memory(r);
    H5free_memory(name);
    return err;
}

static int read_columns(const reading *r)
{
    rsd_table *t = r->table;
    rsd_names units = { 0 }, descriptions = { 0 };
    int err = RSD_OK;
    const int count = H5Tget_class(r->type) == H5T_COMPOUND ? H5Tget_nmembers(r->type) : 0;
    if (count <= 0)
        return RSD_FAIL(RSD_EFORMAT, "%s: %s is not a table", r->s->path, r->path);
    if (!(t->column = calloc((size_t)count, sizeof *t->column)))
        return no_memory(r);
    t->columns = (size_t)count;
    RSD_TRY_DONE(read_notes(r, "column_units", &units));
    RSD_TRY_DONE(read_notes(r, "column_descriptions", &descriptions));
    for (size_t j = 0; j < t->columns; j++) {
        RSD_TRY_DONE(read_column(r, (unsigned)j));
        t->column[j].units = take_text(units.count ? units.name[j] : "", &t->memory);
        t->column[j].description =
            take_text(descriptions.count ? descriptions.name[j] : "", &t->memory);
        if (!t->column[j].units || !t->column[j].description) {
            err = no_memory(r);
            goto done;
        }
    }
done:
    rsd_names_free(&units);
    rsd_names_free(&descriptions);
    return err;
}

/* A text column of fixed width, which HDF5 does not convert to the other kind: by itself. */
static int read_fixed(const reading *r, size_t j, hid_t member)
{
    rsd_table *t = r->table;
    const rsd_store *s = r->s;
    int err = RSD_OK;
    size_t width, bytes;
    const hid_t text = H5Tcopy(H5T_C_S1);
    hid_t row = H5I_INVALID_HID;
    char *all = NULL;
    if (__builtin_add_overflow(H5Tget_size(member), 1, &width) ||
        __builtin_mul_overflow(width, t->rows, &bytes) || !(all = take(bytes + 1, &t->memory))) {
        err = no_memory(r);
        goto done;
    }
    if (text < 0 || H5Tset_size(text, width) < 0 || H5Tset_cset(text, H5Tget_cset(member)) < 0 ||
        (row = H5Tcreate(H5T_COMPOUND, width)) < 0 ||
        H5Tinsert(row, t->column[j].name, 0, text) < 0 ||
        (t->rows && H5Dread(r->dataset, row, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) < 0))
        err = STORE_FAIL(s, "read", r->path);
    for (size_t i = 0; i < t->rows && !err; i++) {
        all[i * width + width - 1] = 0;
        t->value[i * t->columns + j].text = all + i * width;
    }
done:
    return STORE_DROP(s, r->path, err, row, text);
}

/* The columns of read_others, at their places in rsd_value[columns]. */
static int add_member(const reading *r, size_t j, hid_t member, hid_t row)
{
    const rsd_column *column = &r->table->column[j];
    int err = RSD_OK;
    hid_t text = H5I_INVALID_HID;
    hid_t type = rsd_table_memory_type(r->s, column->type);
    if (column->type == RSD_COLUMN_TEXT) {
        type = text = H5Tcopy(r->s->text_type);
        if (text < 0 || H5Tset_cset(text, H5Tget_cset(member)) < 0)
            err = STORE_FAIL(r->s, "read", r->path);
    }
    if (!err && H5Tinsert(row, column->name, j * sizeof(rsd_value), type) < 0)
        err = STORE_FAIL(r->s, "read", r->path);
    return STORE_DROP(r->s, r->path, err, text);
}

/* Every column but texts of fixed width, in one pass. */
static int read_others(const reading *r, hid_t row)
{
    rsd_table *t = r->table;
    int err = RSD_OK;
    const hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (transfer < 0 || H5Pset_vlen_mem_manager(transfer, take, &t->memory, keep, NULL) < 0 ||
        H5Dread(r->dataset, row, H5S_ALL, H5S_ALL, transfer, t->value) < 0)
        err = STORE_FAIL(r->s, "read", r->path);
    return STORE_DROP(r->s, r->path, err, transfer);
}

static int read_rows(const reading *r)
{
    rsd_table *t = r->table;
    size_t others = 0, bytes;
    int err = RSD_OK;
    hid_t member = H5I_INVALID_HID;
    if (__builtin_mul_overflow(t->columns, sizeof(rsd_value), &bytes) ||
        !(t->value = calloc(t->rows + 1, bytes)))
        return no_memory(r);
    const hid_t row = H5Tcreate(H5T_COMPOUND, bytes);
    if (row < 0)
        return STORE_FAIL(r->s, "read", r->path);
    for (size_t j = 0; j < t->columns; j++) {
        if ((member = H5Tget_member_type(r->type, (unsigned)j)) < 0) {
            err = STORE_FAIL(r->s, "read", r->path);
            goto done;
        }
        if (t->column[j].type == RSD_COLUMN_TEXT && H5Tis_variable_str(member) == 0) {
            RSD_TRY_DONE(read_fixed(r, j, member));
        } else {
            RSD_TRY_DONE(add_member(r, j, member, row));
            others++;
        }
        H5Tclose(member);
        member = H5I_INVALID_HID;
    }
    if (others && t->rows)
        err = read_others(r, row);
done:
    return STORE_DROP(r->s, r->path, err, member, row);
}

int rsd_store_read_table(const rsd_store *s, const char *path, rsd_table *out)
{
    int err = RSD_OK;
    size_t ndim;
    reading r = { .s = s, .path = path, .type = H5I_INVALID_HID, .table = out };
    rsd_store_quiet();
    *out = (rsd_table){ 0 };
    RSD_TRY_DONE(rsd_store_open_dataset(s, path, &r.dataset));
    RSD_TRY_DONE(rsd_store_shape(s, path, r.dataset, 1, &ndim, &(size_t){ 0 }, &out->rows));
    if ((r.type = H5Dget_type(r.dataset)) < 0) {
        err = STORE_FAIL(s, "read", path);
        goto done;
    }
    RSD_TRY_DONE(read_columns(&r));
    RSD_TRY_DONE(read_rows(&r));
    /* HDF5 answers NULL for an empty string. */
    for (size_t i = 0; i < out->rows * out->columns; i++)
        if (out->column[i % out->columns].type == RSD_COLUMN_TEXT && !out->value[i].text)
            out->value[i].text = "";
done:
    err = STORE_DROP(s, path, err, r.type, r.dataset);
    if (err)
        rsd_table_free(out);
    return err;
}
