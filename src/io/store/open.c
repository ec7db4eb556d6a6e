/* Files: opened, closed, and how a failure is told. */
#include "io/store/handle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void rsd_store_quiet(void)
{
    static _Thread_local bool done;
    if (!done)
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    done = true;
}

/* Upward means innermost first, and the innermost entry is the cause. */
static herr_t innermost(unsigned depth, const H5E_error2_t *entry, void *out)
{
    (void)depth;
    *(const char **)out = entry->desc;
    return entry->desc && *entry->desc ? 1 : 0;
}

int rsd_store_fail_at(const char *file, int line, const rsd_store *s, const char *verb,
                      const char *path)
{
    const char *reason = NULL;
    int code = s->writable ? RSD_EIO : RSD_EFORMAT;
    if (s->disk->error) {
        reason = strerror(s->disk->error);
        code = RSD_EIO;
    } else {
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &reason);
    }
    return rsd_fail_at(file, line, code, "%s: cannot %s%s%s: %s", s->path, verb, *path ? " " : "",
                       path, reason && *reason ? reason : "HDF5 gives no reason");
}

int rsd_store_drop(const rsd_store *s, const char *path, int err, const hid_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= 0 && H5Idec_ref(ids[i]) < 0 && !err)
            err = STORE_FAIL(s, "close", path);
    if (!err && s->disk->error)
        err = STORE_FAIL(s, s->writable ? "write" : "read", path);
    return err;
}

int rsd_store_need_writable(const rsd_store *s)
{
    return s->writable ? RSD_OK : RSD_FAIL(RSD_EARG, "%s: was opened for reading", s->path);
}

bool rsd_store_plain_header(hid_t create)
{
    return H5Pset_obj_track_times(create, 0) >= 0 &&
           H5Pset_attr_phase_change(create, 65535, 0) >= 0;
}

static bool keep_order(hid_t create)
{
    return H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0;
}

/* Property lists and types that most calls need. */
static bool make_ids(rsd_store *s)
{
    s->link_plist = H5Pcreate(H5P_LINK_CREATE);
    s->group_plist = H5Pcreate(H5P_GROUP_CREATE);
    s->attr_plist = H5Pcreate(H5P_ATTRIBUTE_CREATE);
    s->text_type = H5Tcopy(H5T_C_S1);
    s->reference_list_type = H5Tvlen_create(H5T_STD_REF_OBJ);
    s->scalar = H5Screate(H5S_SCALAR);
    return s->link_plist >= 0 && s->group_plist >= 0 && s->attr_plist >= 0 && s->text_type >= 0 &&
           s->reference_list_type >= 0 && s->scalar >= 0 &&
           H5Pset_char_encoding(s->link_plist, H5T_CSET_UTF8) >= 0 &&
           H5Pset_char_encoding(s->attr_plist, H5T_CSET_UTF8) >= 0 && keep_order(s->group_plist) &&
           rsd_store_plain_header(s->group_plist) &&
           /* Of variable length: h5py shows str for these and bytes for the others. */
           H5Tset_size(s->text_type, H5T_VARIABLE) >= 0 &&
           H5Tset_cset(s->text_type, H5T_CSET_UTF8) >= 0;
}

static int create_file(rsd_store *s, hid_t access)
{
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    if (create >= 0 && keep_order(create) && rsd_store_plain_header(create))
        s->file = H5Fcreate(s->path, H5F_ACC_TRUNC, create, access);
    const int err = s->file < 0 ? STORE_FAIL(s, "create", "") : RSD_OK;
    if (create >= 0)
        H5Pclose(create);
    RSD_TRY(err);
    RSD_TRY(rsd_store_set_text(s, "/", "format", "residuum"));
    return rsd_store_set_int(s, "/", "schema", RSD_SCHEMA);
}

static int open_file(rsd_store *s, hid_t access)
{
    char *format = NULL;
    int64_t schema = 0;
    s->file = H5Fopen(s->path, H5F_ACC_RDONLY, access);
    if (s->file < 0 && s->disk->foreign)
        return RSD_FAIL(RSD_EFORMAT, "%s: not an HDF5 file", s->path);
    if (s->file < 0)
        return STORE_FAIL(s, "open", "");
    RSD_TRY(rsd_store_check_heaps(s->path));
    int err =
        rsd_store_has(s, "/", "format") ? rsd_store_get_text(s, "/", "format", &format) : RSD_OK;
    if (!err && (!format || strcmp(format, "residuum") != 0))
        err = RSD_FAIL(RSD_EFORMAT, "%s: an HDF5 file of another program (its format is %s)",
                       s->path, format ? format : "not stated");
    free(format);
    RSD_TRY(err);
    if (!rsd_store_has(s, "/", "schema"))
        return RSD_FAIL(RSD_EFORMAT, "%s: an HDF5 file of format residuum without a schema",
                        s->path);
    RSD_TRY(rsd_store_get_int(s, "/", "schema", &schema));
    if (schema != RSD_SCHEMA)
        return RSD_FAIL(RSD_EFORMAT, "%s: has schema %" PRId64 ", this program reads schema %d",
                        s->path, schema, RSD_SCHEMA);
    return RSD_OK;
}

/* Close and free; 0, or negative when HDF5 could not close the file. */
static herr_t release(rsd_store *s, int *disk_error)
{
    const hid_t ids[] = { s->link_plist, s->group_plist, s->attr_plist,
                          s->text_type,  s->scalar,      s->reference_list_type };
    herr_t status = 0;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (ids[i] > 0)
            H5Idec_ref(ids[i]);
    if (s->file >= 0)
        status = H5Fclose(s->file);
    if (s->disk)
        *disk_error = s->disk->error;
    if (s->axes)
        rsd_axes_free(s->axes);
    free(s->axes);
    free(s->parent);
    free(s->path);
    if (status >= 0) { /* else HDF5 still holds the driver, which reports there */
        if (s->driver > 0)
            H5FDunregister(s->driver);
        free(s->disk);
    }
    free(s);
    return status;
}

int rsd_store_open(const char *path, rsd_store_mode mode, rsd_store **out)
{
    int err = RSD_OK, disk_error;
    hid_t access = H5I_INVALID_HID;
    rsd_store_quiet();
    *out = NULL;
    rsd_store *s = calloc(1, sizeof *s);
    if (!s)
        return RSD_FAIL(RSD_ENOMEM, "%zu bytes", sizeof *s);
    s->file = s->parent_group = H5I_INVALID_HID;
    s->writable = mode == RSD_STORE_CREATE;
    s->path = strdup(path);
    s->disk = calloc(1, sizeof *s->disk);
    s->axes = calloc(1, sizeof *s->axes);
    if (!s->path || !s->disk || !s->axes) {
        err = RSD_FAIL(RSD_ENOMEM, "%s: no memory to open it", path);
        goto done;
    }
    s->driver = rsd_disk_register();
    if (!make_ids(s) || (access = rsd_disk_access(s->driver, s->disk)) < 0) {
        err = STORE_FAIL(s, "open", "");
        goto done;
    }
    err = s->writable ? create_file(s, access) : open_file(s, access);
done:
    if (access >= 0)
        H5Pclose(access);
    if (err)
        release(s, &disk_error); /* what went wrong first is reported */
    else
        *out = s;
    return err;
}

int rsd_store_close(rsd_store *s)
{
    int err = RSD_OK, disk_error = 0;
    if (!s)
        return RSD_OK;
    rsd_store_quiet();
    if (s->parent_group >= 0 && H5Gclose(s->parent_group) < 0)
        err = STORE_FAIL(s, "close", s->parent);
    /* A handle that is left open is a mistake of this module. */
    assert(H5Fget_obj_count(s->file, H5F_OBJ_ALL | H5F_OBJ_LOCAL) == 1);
    if (s->writable && !s->disk->error && !err)
        err = rsd_axes_write(s);
    char *path = strdup(s->path);
    if (release(s, &disk_error) < 0 && !err)
        err = RSD_FAIL(RSD_EIO, "%s: HDF5 cannot close the file", path ? path : "store");
    if (disk_error)
        err =
            RSD_FAIL(RSD_EIO, "%s: cannot close: %s", path ? path : "store", strerror(disk_error));
    free(path);
    return err;
}

const char *rsd_store_path(const rsd_store *store) { return store->path; }
