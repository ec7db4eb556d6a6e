/* Dimension scales.  A dataset names its scales in the attribute DIMENSION_LIST, and each scale its
 * datasets in REFERENCE_LIST.  H5DSattach_scale rewrites the whole of the latter for every dataset:
 * quadratic time on a scale that thousands share, and failure when it is longer than an object
 * header can hold.  So the first is written here with the dataset, the second once, when the file
 * is closed; the layouts are those of the dimension scale specification, and H5DSis_attached
 * agrees.
 *
 * Only H5DSis_attached and H5DSdetach_scale read REFERENCE_LIST; who looks for a dataset's axes
 * reads the other.  On an axis with more uses than fit the header it is left out. */
#include "alloc.h"
#include "io/store/handle.h"

#include "mat.h"

#include <hdf5_hl.h>

#include <stdlib.h>
#include <string.h>

enum { USES_MAX = 5000 }; /* 12 bytes each, 64 KiB in all with the other attributes */

static int add(const rsd_store *s, const char *path, hobj_ref_t reference, size_t length,
               rsd_axis **out)
{
    rsd_axes *axes = s->axes;
    RSD_TRY(rsd_room(&axes->item, axes->count, 1, sizeof *axes->item));
    rsd_axis *axis = &axes->item[axes->count];
    *axis = (rsd_axis){ .path = strdup(path), .reference = reference, .length = length };
    if (!axis->path)
        return RSD_FAIL(RSD_ENOMEM, "%s: no memory for axis %s", s->path, path);
    axes->count++;
    *out = axis;
    return RSD_OK;
}

void rsd_axes_free(rsd_axes *axes)
{
    for (size_t i = 0; i < axes->count; i++) {
        free(axes->item[i].path);
        free(axes->item[i].use);
    }
    free(axes->item);
    *axes = (rsd_axes){ 0 };
}

int rsd_axes_find(const rsd_store *s, const char *path, rsd_axis **out)
{
    int err = RSD_OK;
    size_t ndim, length, count;
    hid_t dataset;
    hobj_ref_t reference;
    /* The newest first: that is where the next array goes. */
    for (size_t i = s->axes->count; i-- > 0;)
        if (strcmp(s->axes->item[i].path, path) == 0) {
            *out = &s->axes->item[i];
            return RSD_OK;
        }
    RSD_TRY_DONE(rsd_store_open_dataset(s, path, &dataset));
    RSD_TRY_DONE(rsd_store_shape(s, path, dataset, 1, &ndim, &length, &count));
    if (H5DSis_scale(dataset) <= 0)
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s is not an axis", s->path, path);
    else if (H5Rcreate(&reference, dataset, ".", H5R_OBJECT, -1) < 0)
        err = STORE_FAIL(s, "refer to", path);
    else
        err = add(s, path, reference, length, out);
done:
    return STORE_DROP(s, path, err, dataset);
}

int rsd_axes_resolve(const rsd_store *s, hobj_ref_t reference, const char **path)
{
    rsd_axis *axis;
    for (size_t i = s->axes->count; i-- > 0;)
        if (s->axes->item[i].reference == reference) {
            *path = s->axes->item[i].path;
            return RSD_OK;
        }
    /* HDF5 searches the file for it. */
    const ssize_t length = H5Rget_name(s->file, H5R_OBJECT, &reference, NULL, 0);
    char *name = length > 0 ? malloc((size_t)length + 1) : NULL;
    if (!name)
        return RSD_FAIL(RSD_EFORMAT, "%s: an axis that is referred to is not in the file", s->path);
    int err = H5Rget_name(s->file, H5R_OBJECT, &reference, name, (size_t)length + 1) == length
                  ? RSD_OK
                  : STORE_FAIL(s, "find an axis", name);
    if (!err)
        err = rsd_axes_find(s, name, &axis);
    free(name);
    if (!err)
        *path = axis->path;
    return err;
}

/* Remember that dimension d of a dataset uses the axis. */
static int use(rsd_axis *axis, hobj_ref_t dataset, size_t d)
{
    RSD_TRY(rsd_room(&axis->use, axis->uses, 1, sizeof *axis->use));
    axis->use[axis->uses++] = (rsd_axis_use){ dataset, (unsigned)d };
    return RSD_OK;
}

int rsd_axes_attach(rsd_store *s, const char *path, hid_t dataset, size_t ndim, const size_t *count,
                    const char *const *axis)
{
    int err = RSD_OK;
    hid_t space = H5I_INVALID_HID;
    hvl_t list[H5S_MAX_RANK];
    hobj_ref_t self, *to = NULL;
    const hsize_t rank = ndim;
    rsd_axis *one;
    size_t total = 0;
    for (size_t d = 0; d < ndim; d++)
        total += count[d];
    if (total == 0)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(total, 1, sizeof *to, &to));
    if (H5Rcreate(&self, dataset, ".", H5R_OBJECT, -1) < 0) {
        err = STORE_FAIL(s, "refer to", path);
        goto done;
    }
    for (size_t d = 0, i = 0; d < ndim; d++) {
        list[d] = (hvl_t){ count[d], to + i };
        for (size_t k = 0; k < count[d]; k++, i++) {
            RSD_TRY_DONE(rsd_axes_find(s, axis[i], &one));
            to[i] = one->reference;
            RSD_TRY_DONE(use(one, self, d));
        }
    }
    if ((space = H5Screate_simple(1, &rank, NULL)) < 0)
        err = STORE_FAIL(s, "attach axes to", path);
    else
        err = rsd_store_put(s, path, dataset, "DIMENSION_LIST", s->reference_list_type,
                            s->reference_list_type, space, list);
done:
    free(to);
    return STORE_DROP(s, path, err, space);
}

static int write_uses(rsd_store *s, const rsd_axis *axis, hid_t file_type, hid_t memory_type)
{
    int err = RSD_OK;
    const hsize_t uses = axis->uses;
    const hid_t space = H5Screate_simple(1, &uses, NULL);
    const hid_t dataset = H5Dopen2(s->file, axis->path, H5P_DEFAULT);
    if (space < 0 || dataset < 0)
        err = STORE_FAIL(s, "finish axis", axis->path);
    else
        err = rsd_store_put(s, axis->path, dataset, "REFERENCE_LIST", file_type, memory_type, space,
                            axis->use);
    return STORE_DROP(s, axis->path, err, dataset, space);
}

int rsd_axes_write(rsd_store *s)
{
    int err = RSD_OK;
    const hid_t file = H5Tcreate(H5T_COMPOUND, 12);
    const hid_t memory = H5Tcreate(H5T_COMPOUND, sizeof(rsd_axis_use));
    if (file < 0 || memory < 0 || H5Tinsert(file, "dataset", 0, H5T_STD_REF_OBJ) < 0 ||
        H5Tinsert(file, "dimension", 8, H5T_STD_I32LE) < 0 ||
        H5Tinsert(memory, "dataset", HOFFSET(rsd_axis_use, dataset), H5T_STD_REF_OBJ) < 0 ||
        H5Tinsert(memory, "dimension", HOFFSET(rsd_axis_use, dimension), H5T_NATIVE_UINT) < 0)
        err = STORE_FAIL(s, "finish the axes", "");
    for (size_t i = 0; i < s->axes->count && !err; i++)
        if (s->axes->item[i].uses && s->axes->item[i].uses <= USES_MAX)
            err = write_uses(s, &s->axes->item[i], file, memory);
    return STORE_DROP(s, "", err, memory, file);
}

/* The numbers 1..n as a scale. */
static int write_axis(rsd_store *s, const char *path, hid_t dataset, size_t n)
{
    int64_t *number = NULL;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *number, &number));
    for (size_t i = 0; i < n; i++)
        number[i] = (int64_t)i + 1;
    const char *slash = strrchr(path, '/');
    if (H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, number) < 0 ||
        H5DSset_scale(dataset, slash ? slash + 1 : path) < 0)
        err = STORE_FAIL(s, "write", path);
    free(number);
    return err;
}

static int make_axis(rsd_store *s, const char *path, size_t n, const char *units,
                     const char *description)
{
    int err = RSD_OK;
    const hsize_t length = n, chunk = n < 1 << 17 ? n : 1 << 17;
    const bool pack = n >= RSD_PACK_FROM;
    hid_t plist = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    const hid_t space = H5Screate_simple(1, &length, NULL);
    if (space < 0) {
        err = STORE_FAIL(s, "write", path);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_layout(s, path, 1, pack ? &chunk : NULL, pack, &plist));
    RSD_TRY_DONE(rsd_store_create(
        s, path, &(rsd_dataset_info){ H5T_STD_I64LE, space, plist, units, description }, &dataset));
    err = write_axis(s, path, dataset, n);
done:
    return STORE_DROP(s, path, err, dataset, plist, space);
}

int rsd_store_axis(rsd_store *s, const char *path, size_t n, const char *units,
                   const char *description)
{
    rsd_axis *axis;
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    if (!rsd_store_exists(s, path))
        RSD_TRY(make_axis(s, path, n, units, description));
    RSD_TRY(rsd_axes_find(s, path, &axis));
    if (axis->length != n)
        return RSD_FAIL(RSD_EARG, "%s: axis %s has length %zu, not %zu", s->path, path,
                        axis->length, n);
    return RSD_OK;
}
