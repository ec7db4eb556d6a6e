/* Writing tables.  A row in memory is rsd_value[columns], which HDF5 can read and write as it
 * stands: a text column is a string of variable length, whose memory form is a pointer. */
#include "io/store/handle.h"

#include "mat.h"

#include <stdlib.h>

hid_t rsd_table_memory_type(const rsd_store *s, rsd_column_type type)
{
    switch (type) {
    case RSD_COLUMN_TEXT:
        return s->text_type;
    case RSD_COLUMN_REAL:
        return H5T_NATIVE_DOUBLE;
    case RSD_COLUMN_INT:
        return H5T_NATIVE_INT64;
    }
    return H5I_INVALID_HID;
}

static hid_t file_type(const rsd_store *s, rsd_column_type type)
{
    switch (type) {
    case RSD_COLUMN_TEXT:
        return s->text_type;
    case RSD_COLUMN_REAL:
        return H5T_IEEE_F64LE;
    case RSD_COLUMN_INT:
        return H5T_STD_I64LE;
    }
    return H5I_INVALID_HID;
}

/* Both compound types; in the file the columns follow each other without gaps. */
static int make_types(const rsd_store *s, const char *path, const rsd_column *columns, size_t count,
                      hid_t *file, hid_t *memory)
{
    size_t size = 0, offset = 0;
    for (size_t j = 0; j < count; j++)
        size += H5Tget_size(file_type(s, columns[j].type));
    *file = H5Tcreate(H5T_COMPOUND, size);
    *memory = H5Tcreate(H5T_COMPOUND, count * sizeof(rsd_value));
    for (size_t j = 0; j < count; j++) {
        const hid_t type = file_type(s, columns[j].type);
        if (H5Tinsert(*file, columns[j].name, offset, type) < 0 ||
            H5Tinsert(*memory, columns[j].name, j * sizeof(rsd_value),
                      rsd_table_memory_type(s, columns[j].type)) < 0)
            return STORE_FAIL(s, "make the columns of", path);
        offset += H5Tget_size(type);
    }
    return RSD_OK;
}

/* Attributes with one text per column. */
static int put_columns(const rsd_store *s, const char *path, hid_t dataset,
                       const rsd_column *columns, size_t count)
{
    int err = RSD_OK;
    const hsize_t n = count;
    const char **text = NULL;
    const hid_t space = H5Screate_simple(1, &n, NULL);
    if (space < 0) {
        err = STORE_FAIL(s, "write", path);
        goto done;
    }
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *text, &text));
    for (size_t j = 0; j < count; j++)
        text[j] = columns[j].units;
    RSD_TRY_DONE(
        rsd_store_put(s, path, dataset, "column_units", s->text_type, s->text_type, space, text));
    for (size_t j = 0; j < count; j++)
        text[j] = columns[j].description;
    err = rsd_store_put(s, path, dataset, "column_descriptions", s->text_type, s->text_type, space,
                        text);
done:
    free(text);
    return STORE_DROP(s, path, err, space);
}

int rsd_store_table(rsd_store *s, const char *path, const char *description,
                    const rsd_column *columns, size_t column_count, const rsd_value *rows,
                    size_t row_count)
{
    int err = RSD_OK;
    hid_t file = H5I_INVALID_HID, memory = H5I_INVALID_HID, plist = H5I_INVALID_HID;
    hid_t space = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    const hsize_t count = row_count, endless = H5S_UNLIMITED;
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    if (column_count == 0)
        return RSD_FAIL(RSD_EARG, "%s: table %s has no columns", s->path, path);
    /* Chunks of at most some 8192 values, about 100 KiB; no larger than a small table needs. */
    const size_t most = column_count < 8192 ? 8192 / column_count : 1;
    const size_t fit = row_count < 16 ? 16 : row_count;
    const hsize_t chunk = fit < most ? fit : most;
    RSD_TRY_DONE(make_types(s, path, columns, column_count, &file, &memory));
    RSD_TRY_DONE(
        rsd_store_layout(s, path, 1, &chunk, row_count >= RSD_PACK_FROM / column_count, &plist));
    /* A checksum: HDF5 follows the places of texts in a row without looking where they lead. */
    if (H5Pset_fletcher32(plist) < 0 || (space = H5Screate_simple(1, &count, &endless)) < 0) {
        err = STORE_FAIL(s, "write", path);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_create(
        s, path, &(rsd_dataset_info){ file, space, plist, "see column_units", description },
        &dataset));
    RSD_TRY_DONE(put_columns(s, path, dataset, columns, column_count));
    if (row_count && H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) < 0)
        err = STORE_FAIL(s, "write", path);
done:
    return STORE_DROP(s, path, err, dataset, space, plist, memory, file);
}
