/* Attributes of groups and datasets, written and read. */
#include "io/store/handle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int rsd_store_put(const rsd_store *s, const char *path, hid_t object, const char *name, hid_t type,
                  hid_t memory_type, hid_t space, const void *value)
{
    int err = RSD_OK;
    hid_t attr = H5Acreate2(object, name, type, space, s->attr_plist, H5P_DEFAULT);
    /* Replaced, not overwritten: the old one may have another type. */
    if (attr < 0 && H5Aexists(object, name) > 0 && H5Adelete(object, name) >= 0)
        attr = H5Acreate2(object, name, type, space, s->attr_plist, H5P_DEFAULT);
    if (attr < 0 || H5Awrite(attr, memory_type, value) < 0)
        err = STORE_FAIL(s, "write an attribute of", path);
    return STORE_DROP(s, path, err, attr);
}

int rsd_store_put_text(const rsd_store *s, const char *path, hid_t object, const char *name,
                       const char *value)
{
    return rsd_store_put(s, path, object, name, s->text_type, s->text_type, s->scalar, &value);
}

static int set(rsd_store *s, const char *path, const char *name, hid_t type, hid_t memory_type,
               const void *value)
{
    int err = RSD_OK;
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    const hid_t object = H5Oopen(s->file, path, H5P_DEFAULT);
    if (object < 0)
        err = rsd_store_fail_open(s, path);
    else
        err = rsd_store_put(s, path, object, name, type, memory_type, s->scalar, value);
    return STORE_DROP(s, path, err, object);
}

int rsd_store_set_text(rsd_store *s, const char *path, const char *name, const char *v)
{
    return set(s, path, name, s->text_type, s->text_type, &v);
}

int rsd_store_set_real(rsd_store *s, const char *path, const char *name, double v)
{
    return set(s, path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &v);
}

int rsd_store_set_int(rsd_store *s, const char *path, const char *name, int64_t v)
{
    return set(s, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &v);
}

bool rsd_store_has(const rsd_store *s, const char *path, const char *name)
{
    rsd_store_quiet();
    return rsd_store_exists(s, path) && H5Aexists_by_name(s->file, path, name, H5P_DEFAULT) > 0;
}

/* Both answer 0, -1 when HDF5 failed, or RSD_ENOMEM.
 *
 * Strings of fixed length: read at a common width, one longer than the longest, and cut. */
static int read_fixed(hid_t attr, hid_t file_type, hid_t memory_type, char **text, size_t count)
{
    size_t width, bytes;
    if ((width = H5Tget_size(file_type)) == 0 || __builtin_add_overflow(width, 1, &width) ||
        __builtin_mul_overflow(width, count + 1, &bytes) || H5Tset_size(memory_type, width) < 0)
        return -1;
    char *all = malloc(bytes);
    int status = !all ? RSD_ENOMEM : H5Aread(attr, memory_type, all) < 0 ? -1 : 0;
    for (size_t i = 0; i < count && !status; i++)
        if (!(text[i] = strndup(all + i * width, width - 1)))
            status = RSD_ENOMEM;
    free(all);
    return status;
}

/* Strings of variable length: HDF5 allocates each, and none for an empty one. */
static int read_variable(hid_t attr, hid_t memory_type, hid_t space, char **text, size_t count)
{
    if (H5Tset_size(memory_type, H5T_VARIABLE) < 0)
        return -1;
    char **all = calloc(count + 1, sizeof *all);
    int status = !all ? RSD_ENOMEM : H5Aread(attr, memory_type, all) < 0 ? -1 : 0;
    for (size_t i = 0; i < count && !status; i++)
        if (!(text[i] = strdup(all[i] ? all[i] : "")))
            status = RSD_ENOMEM;
    if (all)
        H5Dvlen_reclaim(memory_type, space, H5P_DEFAULT, all);
    free(all);
    return status;
}

/* Open an attribute with its type and space.  RSD_ENOTFOUND names what is missing. */
static int open_attribute(const rsd_store *s, const char *path, hid_t object, const char *name,
                          hid_t id[3])
{
    const htri_t there = H5Aexists(object, name);
    if (there == 0)
        return RSD_FAIL(RSD_ENOTFOUND, "%s: %s has no attribute '%s'", s->path, path, name);
    if (there < 0 || (id[0] = H5Aopen(object, name, H5P_DEFAULT)) < 0 ||
        (id[1] = H5Aget_type(id[0])) < 0 || (id[2] = H5Aget_space(id[0])) < 0)
        return STORE_FAIL(s, "read an attribute of", path);
    return RSD_OK;
}

static int wrong_type(const rsd_store *s, const char *path, const char *name, const char *want)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: attribute '%s' of %s is not %s", s->path, name, path, want);
}

int rsd_store_strings(const rsd_store *s, const char *path, hid_t object, const char *name,
                      rsd_names *out)
{
    int err = RSD_OK, status;
    hid_t id[3] = { H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID };
    hid_t memory = H5I_INVALID_HID;
    *out = (rsd_names){ 0 };
    RSD_TRY_DONE(open_attribute(s, path, object, name, id));
    const hssize_t count = H5Sget_simple_extent_npoints(id[2]);
    if (H5Tget_class(id[1]) != H5T_STRING || count < 0) {
        err = wrong_type(s, path, name, "text");
        goto done;
    }
    out->name = calloc((size_t)count + 1, sizeof *out->name);
    if (!out->name) {
        err = RSD_FAIL(RSD_ENOMEM, "%s: %zu texts", s->path, (size_t)count);
        goto done;
    }
    out->count = (size_t)count;
    memory = H5Tcopy(H5T_C_S1);
    if (memory < 0 || H5Tset_cset(memory, H5Tget_cset(id[1])) < 0)
        status = -1;
    else if (H5Tis_variable_str(id[1]) > 0)
        status = read_variable(id[0], memory, id[2], out->name, out->count);
    else
        status = read_fixed(id[0], id[1], memory, out->name, out->count);
    if (status == RSD_ENOMEM)
        err = RSD_FAIL(RSD_ENOMEM, "%s: no memory for attribute '%s' of %s", s->path, name, path);
    else if (status)
        err = STORE_FAIL(s, "read an attribute of", path);
done:
    err = STORE_DROP(s, path, err, memory, id[2], id[1], id[0]);
    if (err)
        rsd_names_free(out);
    return err;
}

/* An object to read attributes of. */
static int open_object(const rsd_store *s, const char *path, hid_t *out)
{
    rsd_store_quiet();
    *out = H5Oopen(s->file, path, H5P_DEFAULT);
    return *out < 0 ? rsd_store_fail_open(s, path) : RSD_OK;
}

int rsd_store_get_text(const rsd_store *s, const char *path, const char *name, char **v)
{
    hid_t object;
    rsd_names text = { 0 };
    *v = NULL;
    int err = open_object(s, path, &object);
    if (!err)
        err = rsd_store_strings(s, path, object, name, &text);
    if (!err && text.count != 1)
        err = wrong_type(s, path, name, "one text");
    err = STORE_DROP(s, path, err, object);
    if (!err) {
        *v = text.name[0];
        text.name[0] = NULL;
    }
    rsd_names_free(&text);
    return err;
}

/* One number; an integer or enumeration also goes to where a double is wanted.  *is_real says what
 * is stored, and which of *real and *integer was filled (both for integers). */
static int get_number(const rsd_store *s, const char *path, const char *name, bool *is_real,
                      double *real, int64_t *integer)
{
    hid_t object, id[3] = { H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID };
    int err = open_object(s, path, &object);
    if (err)
        goto done;
    RSD_TRY_DONE(open_attribute(s, path, object, name, id));
    const H5T_class_t class = H5Tget_class(id[1]);
    *is_real = class == H5T_FLOAT;
    if ((class != H5T_FLOAT && class != H5T_INTEGER && class != H5T_ENUM) ||
        H5Sget_simple_extent_npoints(id[2]) != 1)
        err = wrong_type(s, path, name, "one number");
    else if ((class != H5T_ENUM && H5Aread(id[0], H5T_NATIVE_DOUBLE, real) < 0) ||
             (class != H5T_FLOAT && H5Aread(id[0], H5T_NATIVE_INT64, integer) < 0))
        err = STORE_FAIL(s, "read an attribute of", path);
    else if (class == H5T_ENUM)
        *real = (double)*integer;
done:
    return STORE_DROP(s, path, err, id[2], id[1], id[0], object);
}

int rsd_store_get_real(const rsd_store *s, const char *path, const char *name, double *v)
{
    bool is_real;
    int64_t integer;
    return get_number(s, path, name, &is_real, v, &integer);
}

int rsd_store_get_int(const rsd_store *s, const char *path, const char *name, int64_t *v)
{
    bool is_real = false;
    double real = 0;
    RSD_TRY(get_number(s, path, name, &is_real, &real, v));
    if (!is_real)
        return RSD_OK;
    /* MATLAB writes every number as a double. */
    if (!(fabs(real) < 0x1p63) || real != floor(real))
        return wrong_type(s, path, name, "an integer");
    *v = (int64_t)real;
    return RSD_OK;
}
