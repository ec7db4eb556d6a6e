/* Arrays: datasets of doubles, written and read. */
#include "io/store/handle.h"

#include "mat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int rsd_store_layout(const rsd_store *s, const char *path, size_t ndim, const hsize_t *chunk,
                     bool pack, hid_t *out)
{
    *out = H5Pcreate(H5P_DATASET_CREATE);
    if (*out < 0 || !rsd_store_plain_header(*out) ||
        (chunk && H5Pset_chunk(*out, (int)ndim, chunk) < 0) ||
        (pack && (H5Pset_shuffle(*out) < 0 || H5Pset_deflate(*out, 4) < 0)))
        return STORE_FAIL(s, "lay out", path);
    return RSD_OK;
}

/* Arrays in chunks of at most 1 MiB of doubles, the size of HDF5's chunk cache; whole rows. */
static int layout_array(const rsd_store *s, const char *path, size_t ndim, const hsize_t *shape,
                        hid_t *out)
{
    hsize_t chunk[2] = { 1, 1 }, room = 1 << 17, count = 1;
    for (size_t d = ndim; d-- > 0; room /= chunk[d]) {
        chunk[d] = shape[d] < room ? shape[d] : room;
        count *= shape[d];
        if (chunk[d] == 0)
            break; /* an empty array is contiguous */
    }
    const bool pack = count >= RSD_PACK_FROM;
    return rsd_store_layout(s, path, ndim, pack ? chunk : NULL, pack, out);
}

int rsd_store_create(rsd_store *s, const char *path, const rsd_dataset_info *info, hid_t *out)
{
    hid_t parent;
    RSD_TRY(rsd_store_parent(s, path, &parent));
    *out = H5Dcreate2(parent, strrchr(path, '/') + 1, info->type, info->space, s->link_plist,
                      info->plist, H5P_DEFAULT);
    if (*out < 0 && rsd_store_exists(s, path))
        return RSD_FAIL(RSD_EARG, "%s: %s exists already", s->path, path);
    if (*out < 0)
        return STORE_FAIL(s, "write", path);
    RSD_TRY(rsd_store_put_text(s, path, *out, "units", info->units));
    return rsd_store_put_text(s, path, *out, "description", info->description);
}

/* The axes must be there and fit before anything is written. */
static int check_axes(const rsd_store *s, const char *path, const rsd_array_info *info)
{
    for (size_t d = 0; d < info->ndim; d++) {
        rsd_axis *axis;
        if (!info->axis[d])
            continue;
        RSD_TRY(rsd_axes_find(s, info->axis[d], &axis));
        if (axis->length != info->shape[d])
            return RSD_FAIL(RSD_EARG, "%s: %s has %zu values along its axis %s of %zu", s->path,
                            path, info->shape[d], info->axis[d], axis->length);
    }
    return RSD_OK;
}

int rsd_store_array(rsd_store *s, const char *path, const double *x, const rsd_array_info *info)
{
    int err = RSD_OK;
    const size_t ndim = info->ndim;
    hid_t space = H5I_INVALID_HID, plist = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    assert((ndim == 1 || ndim == 2) && info->units && info->description);
    const hsize_t shape[2] = { info->shape[0], ndim > 1 ? info->shape[1] : 1 };
    const size_t count[2] = { info->axis[0] != NULL, ndim > 1 && info->axis[1] };
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    RSD_TRY(check_axes(s, path, info));
    if ((space = H5Screate_simple((int)ndim, shape, NULL)) < 0) {
        err = STORE_FAIL(s, "write", path);
        goto done;
    }
    RSD_TRY_DONE(layout_array(s, path, ndim, shape, &plist));
    RSD_TRY_DONE(
        rsd_store_create(s, path,
                         &(rsd_dataset_info){ info->as_float ? H5T_IEEE_F32LE : H5T_IEEE_F64LE,
                                              space, plist, info->units, info->description },
                         &dataset));
    if (H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0) {
        err = STORE_FAIL(s, "write", path);
        goto done;
    }
    const char *const axis[2] = { info->axis[count[0] ? 0 : 1], info->axis[1] };
    err = rsd_axes_attach(s, path, dataset, ndim, count, axis);
done:
    return STORE_DROP(s, path, err, dataset, plist, space);
}

int rsd_store_open_dataset(const rsd_store *s, const char *path, hid_t *out)
{
    *out = H5Dopen2(s->file, path, H5P_DEFAULT);
    return *out < 0 ? rsd_store_fail_open(s, path) : RSD_OK;
}

/* gzip can shrink at most about 1032 to 1.  A shape that needs more than that is a lie, or holds
 * nothing but the fill value, which we never write. */
static bool plausible(hid_t dataset, size_t count, size_t element_size)
{
    size_t bytes;
    const hsize_t stored = H5Dget_storage_size(dataset);
    return !__builtin_mul_overflow(count, element_size, &bytes) &&
           (bytes <= 1 << 20 || bytes / 1100 <= stored);
}

int rsd_store_shape(const rsd_store *s, const char *path, hid_t dataset, size_t limit, size_t *ndim,
                    size_t *shape, size_t *count)
{
    int err = RSD_OK;
    hsize_t dims[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    const int rank = space < 0 || type < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_dims(space, dims, NULL) != rank) {
        err = STORE_FAIL(s, "read", path);
        goto done;
    }
    if (rank == 0 || (size_t)rank > limit) {
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %d dimensions, not 1 to %zu", s->path, path, rank,
                       limit);
        goto done;
    }
    *ndim = (size_t)rank;
    *count = 1;
    for (size_t d = 0; d < *ndim; d++) {
        shape[d] = dims[d];
        if (__builtin_mul_overflow(*count, shape[d], count))
            err = RSD_FAIL(RSD_EFORMAT, "%s: %s has more elements than can be counted", s->path,
                           path);
    }
    if (!err && !plausible(dataset, *count, H5Tget_size(type)))
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s claims %zu elements but stores %llu bytes", s->path,
                       path, *count, (unsigned long long)H5Dget_storage_size(dataset));
done:
    return STORE_DROP(s, path, err, type, space);
}

int rsd_store_read_array(const rsd_store *s, const char *path, double **x, size_t *ndim,
                         size_t shape[2])
{
    int err = RSD_OK;
    size_t count;
    hid_t dataset, type = H5I_INVALID_HID;
    rsd_store_quiet();
    *x = NULL;
    RSD_TRY_DONE(rsd_store_open_dataset(s, path, &dataset));
    shape[1] = 1;
    RSD_TRY_DONE(rsd_store_shape(s, path, dataset, 2, ndim, shape, &count));
    type = H5Dget_type(dataset);
    if (H5Tget_class(type) != H5T_FLOAT && H5Tget_class(type) != H5T_INTEGER) {
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s holds no numbers", s->path, path);
        goto done;
    }
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof **x, x));
    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *x) < 0)
        err = STORE_FAIL(s, "read", path);
done:
    err = STORE_DROP(s, path, err, type, dataset);
    if (err) {
        free(*x);
        *x = NULL;
    }
    return err;
}
