#include "io/store_private.h"

#include <hdf5_hl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* H5Ocopy copies object references as they stand: addresses in the old file.  So the attributes
 * that hold them are written anew in the new one: DIMENSION_LIST of every dataset from the paths of
 * its axes, and REFERENCE_LIST of every axis when the file is closed. */

typedef struct {
    const rsd_store *from;
    rsd_store *to;
    const char *path, *to_path;
    rsd_names users, scales; /* datasets with axes, and axes; relative to path */
    size_t users_room, scales_room;
    int err;
} copying;

static char *join(const char *base, const char *rest)
{
    char *out = NULL;
    return asprintf(&out, "%s%s%s", strcmp(base, "/") == 0 ? "" : base, *rest ? "/" : "", rest) < 0
               ? NULL
               : out;
}

static int no_memory(const copying *c)
{
    return RSD_FAIL(RSD_ENOMEM, "%s: no memory to copy %s", c->from->path, c->path);
}

static int keep(const copying *c, rsd_names *list, size_t *room, const char *name)
{
    RSD_TRY(rsd_store_grow(&list->name, list->count, room, sizeof *list->name));
    if (!(list->name[list->count] = strdup(name)))
        return no_memory(c);
    list->count++;
    return RSD_OK;
}

/* An axis that is copied is also entered in the list of its file: no search for its name later. */
static int keep_scale(copying *c, const char *name)
{
    rsd_axis *axis;
    char *path = join(c->path, name);
    int err = path ? rsd_axes_find(c->from, path, &axis) : no_memory(c);
    free(path);
    RSD_TRY(err);
    return keep(c, &c->scales, &c->scales_room, name);
}

static herr_t visit(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    copying *c = context;
    if (info->meta_size.attr.heap_size) {
        /* It would crash.  Only files that other programs have changed have such objects. */
        c->err = RSD_FAIL(RSD_EFORMAT, "%s: the attributes of %s in %s are stored such that HDF5 "
                          "cannot copy them", c->from->path, name, c->path);
        return -1;
    }
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    const char *relative = strcmp(name, ".") == 0 ? "" : name;
    const hid_t dataset = H5Oopen(root, name, H5P_DEFAULT);
    const htri_t has_axes = dataset < 0 ? -1 : H5Aexists(dataset, "DIMENSION_LIST");
    const htri_t is_scale = dataset < 0 ? -1 : H5DSis_scale(dataset);
    if (has_axes < 0 || is_scale < 0)
        c->err = STORE_FAIL(c->from, "copy", c->path);
    if (!c->err && has_axes)
        c->err = keep(c, &c->users, &c->users_room, relative);
    if (!c->err && is_scale)
        c->err = keep_scale(c, relative);
    c->err = STORE_DROP(c->from, c->path, c->err, dataset);
    return c->err ? -1 : 0;
}

/* The rest of path when it is c->path or below it, else NULL. */
static const char *below(const copying *c, const char *path)
{
    const size_t n = strcmp(c->path, "/") == 0 ? 0 : strlen(c->path);
    if (strncmp(path, c->path, n) != 0 || (path[n] && path[n] != '/'))
        return NULL;
    return path + n + (path[n] == '/');
}

/* Where the axis is in the new file: copied with the rest, or at the same path as in the old one,
 * copied now if it is not there yet. */
static int place_axis(const copying *c, hobj_ref_t reference, char **out)
{
    const char *path;
    rsd_axis *old, *new;
    RSD_TRY(rsd_axes_resolve(c->from, reference, &path));
    const char *rest = below(c, path);
    if (!(*out = rest ? join(c->to_path, rest) : strdup(path)))
        return no_memory(c);
    if (rest)
        return RSD_OK;
    int err = rsd_axes_find(c->to, path, &new);
    if (err == RSD_ENOTFOUND && !(err = rsd_store_copy(c->from, path, c->to, path)))
        err = rsd_axes_find(c->to, path, &new);
    if (!err)
        err = rsd_axes_find(c->from, path, &old);
    RSD_TRY(err);
    if (old->length != new->length)
        return RSD_FAIL(RSD_EARG, "%s: axis %s has length %zu, in %s %zu", c->to->path, path,
                        new->length, c->from->path, old->length);
    return RSD_OK;
}

/* DIMENSION_LIST of a dataset of the old file: list[*ndim], to be reclaimed. */
static int read_list(const copying *c, const char *path, hid_t dataset, hvl_t *list, size_t *ndim,
                     hid_t *space)
{
    const rsd_store *s = c->from;
    int err = RSD_OK;
    const hid_t attr = H5Aopen(dataset, "DIMENSION_LIST", H5P_DEFAULT);
    const hid_t type = attr < 0 ? attr : H5Aget_type(attr);
    const hid_t own = H5Dget_space(dataset);
    const int rank = own < 0 ? -1 : H5Sget_simple_extent_ndims(own);
    *ndim = 0;
    *space = attr < 0 ? attr : H5Aget_space(attr);
    if (type < 0 || *space < 0 || rank < 0)
        err = STORE_FAIL(s, "read the axes of", path);
    else if (H5Tequal(type, s->reference_list_type) <= 0 ||
             H5Sget_simple_extent_npoints(*space) != rank)
        err = RSD_FAIL(RSD_EFORMAT, "%s: the list of axes of %s is damaged", s->path, path);
    else if (H5Aread(attr, s->reference_list_type, list) < 0)
        err = STORE_FAIL(s, "read the axes of", path);
    else
        *ndim = (size_t)rank;
    return STORE_DROP(s, path, err, own, type, attr);
}

static int attach(const copying *c, const char *path, const hvl_t *list, size_t ndim)
{
    int err = RSD_OK;
    size_t count[H5S_MAX_RANK], total = 0, placed = 0;
    hid_t dataset = H5I_INVALID_HID;
    for (size_t d = 0; d < ndim; d++)
        total += count[d] = list[d].len;
    char **axis = calloc(total + 1, sizeof *axis);
    if (!axis)
        return no_memory(c);
    for (size_t d = 0; d < ndim; d++)
        for (size_t k = 0; k < count[d]; k++)
            RSD_TRY_DONE(place_axis(c, ((const hobj_ref_t *)list[d].p)[k], &axis[placed++]));
    RSD_TRY_DONE(rsd_store_open_dataset(c->to, path, &dataset));
    if (total == 0 && H5Adelete(dataset, "DIMENSION_LIST") < 0)
        err = STORE_FAIL(c->to, "attach axes to", path);
    else
        err = rsd_axes_attach(c->to, path, dataset, ndim, count, (const char *const *)axis);
done:
    for (size_t i = 0; i < placed; i++)
        free(axis[i]);
    free(axis);
    return STORE_DROP(c->to, path, err, dataset);
}

static int copy_axes_of(const copying *c, const char *name)
{
    int err = RSD_OK;
    size_t ndim = 0;
    hvl_t list[H5S_MAX_RANK];
    hid_t dataset = H5I_INVALID_HID, space = H5I_INVALID_HID;
    char *path = join(c->path, name), *to_path = join(c->to_path, name);
    if (!path || !to_path) {
        err = no_memory(c);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_open_dataset(c->from, path, &dataset));
    RSD_TRY_DONE(read_list(c, path, dataset, list, &ndim, &space));
    err = attach(c, to_path, list, ndim);
done:
    if (ndim)
        H5Dvlen_reclaim(c->from->reference_list_type, space, H5P_DEFAULT, list);
    err = STORE_DROP(c->from, path ? path : name, err, space, dataset);
    free(path);
    free(to_path);
    return err;
}

/* The uses of a copied axis are those of the old file: forget them, the new ones are collected. */
static int reset_axis(const copying *c, const char *name)
{
    int err = RSD_OK;
    htri_t there;
    hid_t dataset = H5I_INVALID_HID;
    char *path = join(c->to_path, name);
    if (!path)
        return no_memory(c);
    RSD_TRY_DONE(rsd_store_open_dataset(c->to, path, &dataset));
    there = H5Aexists(dataset, "REFERENCE_LIST");
    if (there < 0 || (there && H5Adelete(dataset, "REFERENCE_LIST") < 0))
        err = STORE_FAIL(c->to, "reset axis", path);
done:
    err = STORE_DROP(c->to, path, err, dataset);
    free(path);
    return err;
}

int rsd_store_copy(const rsd_store *from, const char *path, rsd_store *to, const char *to_path)
{
    int err = RSD_OK;
    copying c = { .from = from, .to = to, .path = path, .to_path = to_path };
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(to));
    if (rsd_store_exists(to, to_path))
        return RSD_FAIL(RSD_EARG, "%s: %s exists already", to->path, to_path);
    if (H5Ovisit_by_name2(from->file, path, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &c,
                          H5O_INFO_BASIC | H5O_INFO_META_SIZE, H5P_DEFAULT) < 0) {
        err = c.err ? c.err : rsd_store_fail_open(from, path);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_parents(to, to_path));
    if (H5Ocopy(from->file, path, to->file, to_path, H5P_DEFAULT, to->link_plist) < 0) {
        err = STORE_FAIL(from->disk->error ? from : to, "write", to_path);
        goto done;
    }
    for (size_t i = 0; i < c.scales.count; i++)
        RSD_TRY_DONE(reset_axis(&c, c.scales.name[i]));
    for (size_t i = 0; i < c.users.count; i++)
        RSD_TRY_DONE(copy_axes_of(&c, c.users.name[i]));
    err = STORE_DROP(to, to_path, RSD_OK, H5I_INVALID_HID);
done:
    rsd_names_free(&c.users);
    rsd_names_free(&c.scales);
    return err;
}
