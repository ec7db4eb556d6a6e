/* Copying from file to file.  Not H5Ocopy: it copies references as addresses in the old file, and
 * HDF5 1.10.8 crashes in it when the old file cannot be read, or keeps texts among attributes that
 * are in a heap.
 *
 * Groups and datasets are made anew in the order of their creation, arrays chunk by chunk as they
 * are packed.  The attributes that hold references are left out: DIMENSION_LIST is written at the
 * end from the paths of the axes, REFERENCE_LIST of every axis when the file is closed. */
#include "alloc.h"
#include "io/store/handle.h"

#include <hdf5_hl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 }; /* a group that contains itself would not end */

static char *join(const char *base, const char *rest)
{
    char *out = NULL;
    const bool slash = *rest && *rest != '/';
    return rsd_format(&out, "%s%s%s", strcmp(base, "/") == 0 ? "" : base, slash ? "/" : "", rest)
               ? NULL
               : out;
}

int rsd_copy_no_memory(const rsd_copying *c)
{
    return RSD_FAIL(RSD_ENOMEM, "%s: no memory to copy %s", c->from->path, c->path);
}

/* Remember a dataset with axes; enter an axis in the list of its file: no search for it later. */
static int note_axes(rsd_copying *c, const char *path, hid_t dataset)
{
    rsd_axis *axis;
    const htri_t has_axes = H5Aexists(dataset, "DIMENSION_LIST"), is_axis = H5DSis_scale(dataset);
    if (has_axes < 0 || is_axis < 0)
        return STORE_FAIL(c->from, "read", path);
    if (is_axis)
        RSD_TRY(rsd_axes_find(c->from, path, &axis));
    if (!has_axes)
        return RSD_OK;
    RSD_TRY(rsd_room(&c->users.name, c->users.count, 1, sizeof *c->users.name));
    const size_t above = strcmp(c->path, "/") == 0 ? 0 : strlen(c->path);
    if (!(c->users.name[c->users.count] = strdup(path + above)))
        return rsd_copy_no_memory(c);
    c->users.count++;
    return RSD_OK;
}

static int copy_dataset(rsd_copying *c, const char *path, hid_t old, const char *to_path)
{
    RSD_TRY(rsd_copy_dataset(c, path, old, to_path));
    return note_axes(c, path, old);
}

static int copy_object(rsd_copying *c, const char *path, const char *to_path, int depth);

static int copy_member(rsd_copying *c, const char *path, const char *to_path, const char *name,
                       int depth)
{
    char *inner = join(path, name), *to_inner = join(to_path, name);
    const int err =
        inner && to_inner ? copy_object(c, inner, to_inner, depth) : rsd_copy_no_memory(c);
    free(inner);
    free(to_inner);
    return err;
}

static int copy_group(rsd_copying *c, const char *path, hid_t old, const char *to_path, int depth)
{
    int err = RSD_OK;
    rsd_names names = { 0 };
    const hid_t new =
        H5Gcreate2(c->to->file, to_path, c->to->link_plist, c->to->group_plist, H5P_DEFAULT);
    if (new < 0) {
        err = STORE_FAIL(c->to, "make group", to_path);
        goto done;
    }
    RSD_TRY_DONE(rsd_copy_attributes(c, path, old, to_path, new));
    RSD_TRY_DONE(rsd_store_members(c->from, path, &names));
    for (size_t i = 0; i < names.count; i++)
        RSD_TRY_DONE(copy_member(c, path, to_path, names.name[i], depth + 1));
done:
    rsd_names_free(&names);
    return STORE_DROP(c->to, to_path, err, new);
}

static int copy_object(rsd_copying *c, const char *path, const char *to_path, int depth)
{
    int err = RSD_OK;
    const hid_t old = H5Oopen(c->from->file, path, H5P_DEFAULT);
    const H5I_type_t type = old < 0 ? H5I_BADID : H5Iget_type(old);
    if (old < 0)
        err = rsd_store_fail_open(c->from, path);
    else if (type == H5I_DATASET)
        err = copy_dataset(c, path, old, to_path);
    else if (type == H5I_GROUP && depth < DEPTH_MAX)
        err = copy_group(c, path, old, to_path, depth);
    else
        err = RSD_FAIL(RSD_EFORMAT, "%s: cannot copy %s: %s", c->from->path, path,
                       type == H5I_GROUP ? "nested too deeply" : "neither group nor dataset");
    return STORE_DROP(c->from, path, err, old);
}

/* The rest of path when it is c->path or below it, else NULL. */
static const char *below(const rsd_copying *c, const char *path)
{
    const size_t n = strcmp(c->path, "/") == 0 ? 0 : strlen(c->path);
    if (strncmp(path, c->path, n) != 0 || (path[n] && path[n] != '/'))
        return NULL;
    return path + n + (path[n] == '/');
}

/* Where the axis is in the new file: copied with the rest, or at the same path as in the old one,
 * copied now if it is not there yet. */
static int place_axis(const rsd_copying *c, hobj_ref_t reference, char **out)
{
    const char *path;
    rsd_axis *old, *new;
    RSD_TRY(rsd_axes_resolve(c->from, reference, &path));
    const char *rest = below(c, path);
    if (!(*out = rest ? join(c->to_path, rest) : strdup(path)))
        return rsd_copy_no_memory(c);
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
static int read_list(const rsd_copying *c, const char *path, hid_t dataset, hvl_t *list,
                     size_t *ndim, hid_t *space)
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

static int attach(const rsd_copying *c, const char *path, const hvl_t *list, size_t ndim)
{
    int err = RSD_OK;
    size_t count[H5S_MAX_RANK], total = 0, placed = 0;
    hid_t dataset = H5I_INVALID_HID;
    for (size_t d = 0; d < ndim; d++)
        total += count[d] = list[d].len;
    char **axis = calloc(total + 1, sizeof *axis);
    if (!axis)
        return rsd_copy_no_memory(c);
    for (size_t d = 0; d < ndim; d++)
        for (size_t k = 0; k < count[d]; k++)
            RSD_TRY_DONE(place_axis(c, ((const hobj_ref_t *)list[d].p)[k], &axis[placed++]));
    RSD_TRY_DONE(rsd_store_open_dataset(c->to, path, &dataset));
    err = rsd_axes_attach(c->to, path, dataset, ndim, count, (const char *const *)axis);
done:
    for (size_t i = 0; i < placed; i++)
        free(axis[i]);
    free(axis);
    return STORE_DROP(c->to, path, err, dataset);
}

static int copy_axes_of(const rsd_copying *c, const char *name)
{
    int err = RSD_OK;
    size_t ndim = 0;
    hvl_t list[H5S_MAX_RANK];
    hid_t dataset = H5I_INVALID_HID, space = H5I_INVALID_HID;
    char *path = join(c->path, name), *to_path = join(c->to_path, name);
    if (!path || !to_path) {
        err = rsd_copy_no_memory(c);
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

int rsd_store_copy(const rsd_store *from, const char *path, rsd_store *to, const char *to_path)
{
    int err = RSD_OK;
    rsd_copying c = { .from = from, .to = to, .path = path, .to_path = to_path };
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(to));
    if (rsd_store_exists(to, to_path))
        return RSD_FAIL(RSD_EARG, "%s: %s exists already", to->path, to_path);
    hid_t parent;
    RSD_TRY(rsd_store_parent(to, to_path, &parent));
    RSD_TRY_DONE(copy_object(&c, path, to_path, 0));
    for (size_t i = 0; i < c.users.count; i++)
        RSD_TRY_DONE(copy_axes_of(&c, c.users.name[i]));
done:
    rsd_names_free(&c.users);
    return err;
}

int rsd_store_copy_attributes(const rsd_store *from, const char *path, rsd_store *to,
                              const char *to_path)
{
    const rsd_copying c = { .from = from, .to = to, .path = path, .to_path = to_path };
    RSD_TRY(rsd_store_group(to, to_path));
    const hid_t old = H5Oopen(from->file, path, H5P_DEFAULT);
    const hid_t new = H5Oopen(to->file, to_path, H5P_DEFAULT);
    int err = RSD_OK;
    if (old < 0)
        err = rsd_store_fail_open(from, path);
    else if (new < 0)
        err = rsd_store_fail_open(to, to_path);
    else
        err = rsd_copy_attributes(&c, path, old, to_path, new);
    return STORE_DROP(from, path, err, new, old);
}
