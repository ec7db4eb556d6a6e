/* Groups, their members, and names as components of paths. */
#include "alloc.h"
#include "io/store/handle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char stroke[] = "\u2215", mark[] = "\u241b";
enum { STROKE = sizeof stroke - 1, MARK = sizeof mark - 1 };

/* Names that cannot be components at all, with a '_' at the end; those that have one of their own
 * are marked. */
static bool is_dots(const char *name, size_t n)
{
    return n == 0 || (n <= 2 && strncmp(name, "..", n) == 0);
}

static bool ends_as_dots(const char *name)
{
    const size_t n = strlen(name);
    return n && name[n - 1] == '_' && is_dots(name, n - 1);
}

char *rsd_store_escape(const char *name)
{
    char *const out = malloc(strlen(name) * (MARK + STROKE) + MARK + 2);
    char *p = out;
    if (!out)
        return NULL;
    const bool dots = is_dots(name, strlen(name));
    if (ends_as_dots(name))
        p = stpcpy(p, mark);
    while (*name) {
        if (strncmp(name, stroke, STROKE) == 0 || strncmp(name, mark, MARK) == 0)
            p = stpcpy(p, mark);
        if (*name == '/')
            p = stpcpy(p, stroke);
        else
            *p++ = *name;
        name++;
    }
    strcpy(p, dots ? "_" : "");
    return out;
}

/* Is this a mark that escaping made?  In older files it may be a character like others. */
static bool is_marked(const char *at)
{
    if (strncmp(at, mark, MARK) != 0)
        return false;
    at += MARK;
    return strncmp(at, mark, MARK) == 0 || strncmp(at, stroke, STROKE) == 0 || ends_as_dots(at);
}

char *rsd_store_unescape(const char *name)
{
    const bool dots = ends_as_dots(name);
    char *const out = strdup(name);
    char *p = out;
    if (!out)
        return NULL;
    while (*name) {
        if (is_marked(name)) {
            name += MARK; /* and what it marks as it is: its first byte, the others follow */
            *p++ = *name++;
        } else if (strncmp(name, stroke, STROKE) == 0) {
            *p++ = '/';
            name += STROKE;
        } else
            *p++ = *name++;
    }
    p[dots ? -1 : 0] = 0;
    return out;
}

bool rsd_store_exists(const rsd_store *s, const char *path)
{
    rsd_store_quiet();
    if (strcmp(path, "/") == 0)
        return true;
    /* Where a group on the way is missing H5Lexists fails, which is an answer too.  The second
     * question is for soft links to nowhere. */
    return H5Lexists(s->file, path, H5P_DEFAULT) > 0 &&
           H5Oexists_by_name(s->file, path, H5P_DEFAULT) > 0;
}

/* Is some component of the path not there?  Asked one by one, a damaged group is told from that. */
static bool is_missing(const rsd_store *s, const char *path)
{
    htri_t there = 1;
    char *part = strdup(path);
    for (char *end = part; there > 0 && end && *end;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = 0;
        there = H5Lexists(s->file, part, H5P_DEFAULT);
        if (end)
            *end = '/';
    }
    free(part);
    return there == 0;
}

int rsd_store_fail_open(const rsd_store *s, const char *path)
{
    const int err = STORE_FAIL(s, s->writable ? "open" : "read", path);
    if (s->disk->error || !is_missing(s, path))
        return err;
    return RSD_FAIL(RSD_ENOTFOUND, "%s: has no %s", s->path, path);
}

/* Cuts path while it works.  HDF5 would make groups on the way with properties of its own. */
static int make_groups(rsd_store *s, char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !*path || H5Lexists(s->file, path, H5P_DEFAULT) > 0)
        return RSD_OK;
    *slash = 0;
    const int err = make_groups(s, path);
    *slash = '/';
    RSD_TRY(err);
    const hid_t group = H5Gcreate2(s->file, path, s->link_plist, s->group_plist, H5P_DEFAULT);
    return STORE_DROP(s, path, group < 0 ? STORE_FAIL(s, "make group", path) : RSD_OK, group);
}

int rsd_store_parent(rsd_store *s, const char *path, hid_t *group)
{
    const char *slash = strrchr(path, '/');
    assert(path[0] == '/');
    const size_t length = (size_t)(slash - path);
    *group = s->parent_group;
    if (s->parent && strncmp(path, s->parent, length) == 0 && !s->parent[length])
        return RSD_OK;
    char *parent = strndup(path, length);
    int err = parent ? make_groups(s, parent)
                     : RSD_FAIL(RSD_ENOMEM, "%s: no memory to make %s", s->path, path);
    if (!err && (*group = H5Gopen2(s->file, length ? parent : "/", H5P_DEFAULT)) < 0)
        err = STORE_FAIL(s, "make group", parent);
    if (err) {
        free(parent);
        return err;
    }
    err = STORE_DROP(s, path, err, s->parent_group);
    free(s->parent);
    s->parent = parent;
    s->parent_group = *group;
    return err;
}

int rsd_store_group(rsd_store *s, const char *path)
{
    hid_t group;
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    RSD_TRY(rsd_store_parent(s, path, &group));
    group = rsd_store_exists(s, path)
                ? H5Gopen2(s->file, path, H5P_DEFAULT)
                : H5Gcreate2(s->file, path, s->link_plist, s->group_plist, H5P_DEFAULT);
    return STORE_DROP(s, path, group < 0 ? STORE_FAIL(s, "make group", path) : RSD_OK, group);
}

/* Name i in that order; NULL when HDF5 fails or memory is out. */
static char *name_at(hid_t group, H5_index_t order, hsize_t i)
{
    const ssize_t n = H5Lget_name_by_idx(group, ".", order, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
    char *name = n > 0 ? malloc((size_t)n + 1) : NULL;
    if (name && H5Lget_name_by_idx(group, ".", order, H5_ITER_INC, i, name, (size_t)n + 1,
                                   H5P_DEFAULT) == n)
        return name;
    free(name);
    return NULL;
}

/* One by one: H5Literate makes a table first, and HDF5 1.10.8 crashes when it frees the table of a
 * damaged group. */
static int list(const rsd_store *s, const char *path, hid_t group, H5_index_t order, hsize_t count,
                rsd_names *out)
{
    for (hsize_t i = 0; i < count; i++) {
        RSD_TRY(rsd_room(&out->name, out->count, 1, sizeof *out->name));
        if (!(out->name[out->count] = name_at(group, order, i)))
            return STORE_FAIL(s, "list", path);
        out->count++;
    }
    return RSD_OK;
}

int rsd_store_members(const rsd_store *s, const char *path, rsd_names *out)
{
    int err = RSD_OK;
    unsigned order = 0;
    H5G_info_t info;
    rsd_store_quiet();
    *out = (rsd_names){ 0 };
    const hid_t group = H5Gopen2(s->file, path, H5P_DEFAULT);
    if (group < 0)
        return rsd_store_fail_open(s, path);
    const hid_t plist = H5Gget_create_plist(group);
    /* Groups made by other programs may not know their order: by name then. */
    if (plist < 0 || H5Pget_link_creation_order(plist, &order) < 0 || H5Gget_info(group, &info) < 0)
        err = STORE_FAIL(s, "list", path);
    else
        err =
            list(s, path, group, order & H5P_CRT_ORDER_INDEXED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME,
                 info.nlinks, out);
    err = STORE_DROP(s, path, err, plist, group);
    if (err)
        rsd_names_free(out);
    return err;
}

int rsd_store_names(const rsd_store *s, const char *path, rsd_names *out)
{
    *out = (rsd_names){ 0 };
    if (!rsd_store_exists(s, path))
        return RSD_OK;
    RSD_TRY(rsd_store_members(s, path, out));
    for (size_t i = 0; i < out->count; i++) {
        char *name = rsd_store_unescape(out->name[i]);
        if (!name) {
            rsd_names_free(out);
            return RSD_FAIL(RSD_ENOMEM, "%s: names of %s", s->path, path);
        }
        free(out->name[i]);
        out->name[i] = name;
    }
    return RSD_OK;
}

void rsd_names_free(rsd_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (rsd_names){ 0 };
}
