/* What is in the objects that copy.c makes: attributes and values. */
#include "io/store/handle.h"

#include <stdlib.h>
#include <string.h>

/* References mean nothing in another file. */
static int check_type(const rsd_copying *c, const char *path, hid_t type)
{
    if (H5Tdetect_class(type, H5T_REFERENCE) == 0)
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "%s: cannot copy %s: it holds references", c->from->path, path);
}

/* One attribute, of an open object, to its copy. */
typedef struct {
    const rsd_copying *c;
    const char *path, *to_path;
    hid_t object;
    int err;
} attribute_copy;

static int copy_attribute(const attribute_copy *a, hid_t object, const char *name)
{
    const rsd_store *from = a->c->from;
    int err = RSD_OK;
    void *value = NULL;
    const hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = attr < 0 ? attr : H5Aget_type(attr);
    const hid_t space = attr < 0 ? attr : H5Aget_space(attr);
    const hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (type < 0 || count < 0) {
        err = STORE_FAIL(from, "read an attribute of", a->path);
        goto done;
    }
    RSD_TRY_DONE(check_type(a->c, a->path, type));
    if (!(value = calloc((size_t)count + 1, H5Tget_size(type)))) {
        err = rsd_copy_no_memory(a->c);
        goto done;
    }
    if (H5Aread(attr, type, value) < 0)
        err = STORE_FAIL(from, "read an attribute of", a->path);
    else
        err = rsd_store_put(a->c->to, a->to_path, a->object, name, type, type, space, value);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
done:
    free(value);
    return STORE_DROP(from, a->path, err, space, type, attr);
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context)
{
    attribute_copy *a = context;
    (void)info;
    if (strcmp(name, "DIMENSION_LIST") != 0 && strcmp(name, "REFERENCE_LIST") != 0)
        a->err = copy_attribute(a, object, name);
    return a->err ? -1 : 0;
}

int rsd_copy_attributes(const rsd_copying *c, const char *path, hid_t old, const char *to_path,
                        hid_t new)
{
    attribute_copy a = { c, path, to_path, new, RSD_OK };
    if (H5Aiterate2(old, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &a) < 0 && !a.err)
        a.err = STORE_FAIL(c->from, "read the attributes of", path);
    return a.err;
}

/* A dataset that is being copied. */
typedef struct {
    const char *path, *to_path;
    hid_t old, new, type, space, plist;
    size_t ndim, shape[H5S_MAX_RANK], count;
} dataset_copy;

/* All at once, through memory: small arrays, and tables, whose texts are elsewhere in the file. */
static int copy_values(const rsd_copying *c, const dataset_copy *d)
{
    int err = RSD_OK;
    size_t bytes;
    void *value = NULL;
    if (__builtin_mul_overflow(d->count, H5Tget_size(d->type), &bytes) ||
        !(value = calloc(bytes + 1, 1)))
        return rsd_copy_no_memory(c);
    if (H5Dread(d->old, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0)
        err = STORE_FAIL(c->from, "read", d->path);
    else if (H5Dwrite(d->new, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0)
        err = STORE_FAIL(c->to, "write", d->to_path);
    const H5T_class_t class = H5Tget_class(d->type);
    if (class != H5T_FLOAT && class != H5T_INTEGER) /* there may be texts to free */
        H5Dvlen_reclaim(d->type, d->space, H5P_DEFAULT, value);
    free(value);
    return err;
}

/* The next chunk's offset, row-major; false after the last. */
static bool next_chunk(const dataset_copy *d, const hsize_t *chunk, hsize_t *offset)
{
    for (size_t k = d->ndim; k-- > 0; offset[k] = 0)
        if ((offset[k] += chunk[k]) < d->shape[k])
            return true;
    return false;
}

/* Chunks of plain numbers mean the same in any file. */
static bool is_raw(const dataset_copy *d)
{
    const H5T_class_t class = H5Tget_class(d->type);
    return H5Pget_layout(d->plist) == H5D_CHUNKED && (class == H5T_FLOAT || class == H5T_INTEGER);
}

/* Chunk by chunk, as they are. */
static int copy_chunks(const rsd_copying *c, const dataset_copy *d)
{
    int err = RSD_OK;
    hsize_t chunk[H5S_MAX_RANK], offset[H5S_MAX_RANK] = { 0 }, size;
    size_t room = 0;
    uint32_t filters;
    char *data = NULL;
    if (H5Pget_chunk(d->plist, H5S_MAX_RANK, chunk) < 0)
        return STORE_FAIL(c->from, "read", d->path);
    do {
        if (H5Dget_chunk_storage_size(d->old, offset, &size) < 0) {
            err = STORE_FAIL(c->from, "read", d->path);
            break;
        }
        if (size == 0)
            continue; /* never written */
        if (size > room) {
            free(data);
            room = size;
            if (!(data = malloc(room))) {
                err = rsd_copy_no_memory(c);
                break;
            }
        }
        if (H5Dread_chunk(d->old, H5P_DEFAULT, offset, &filters, data) < 0)
            err = STORE_FAIL(c->from, "read", d->path);
        else if (H5Dwrite_chunk(d->new, H5P_DEFAULT, filters, offset, size, data) < 0)
            err = STORE_FAIL(c->to, "write", d->to_path);
    } while (!err && next_chunk(d, chunk, offset));
    free(data);
    return err;
}

static int make_dataset(const rsd_copying *c, dataset_copy *d)
{
    if ((d->type = H5Dget_type(d->old)) < 0 || (d->space = H5Dget_space(d->old)) < 0 ||
        (d->plist = H5Dget_create_plist(d->old)) < 0)
        return STORE_FAIL(c->from, "read", d->path);
    RSD_TRY(check_type(c, d->path, d->type));
    if (H5Pget_external_count(d->plist) != 0 || H5Pget_layout(d->plist) == H5D_VIRTUAL)
        return RSD_FAIL(RSD_EFORMAT, "%s: cannot copy %s: its values are in another file",
                        c->from->path, d->path);
    if (!rsd_store_plain_header(d->plist) ||
        (d->new = H5Dcreate2(c->to->file, d->to_path, d->type, d->space, c->to->link_plist,
                             d->plist, H5P_DEFAULT)) < 0)
        return STORE_FAIL(c->to, "write", d->to_path);
    return RSD_OK;
}

int rsd_copy_dataset(const rsd_copying *c, const char *path, hid_t old, const char *to_path)
{
    int err = RSD_OK;
    dataset_copy d = { path, to_path, old, -1, -1, -1, -1, 0, { 0 }, 0 };
    RSD_TRY_DONE(make_dataset(c, &d));
    if (H5Sget_simple_extent_type(d.space) != H5S_SIMPLE) /* one value, or none */
        d.count = (size_t)H5Sget_simple_extent_npoints(d.space);
    else
        RSD_TRY_DONE(rsd_store_shape(c->from, path, old, H5S_MAX_RANK, &d.ndim, d.shape, &d.count));
    if (d.count)
        RSD_TRY_DONE(is_raw(&d) ? copy_chunks(c, &d) : copy_values(c, &d));
    err = rsd_copy_attributes(c, path, old, to_path, d.new);
done:
    return STORE_DROP(c->to, to_path, err, d.new, d.plist, d.space, d.type);
}
