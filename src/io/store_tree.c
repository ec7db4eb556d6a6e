#include "io/store_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

char *rsd_store_escape(const char *name)
{
    static const char slash[] = "\u2215";
    const bool dots = !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    char *const out = malloc(strlen(name) * (sizeof slash - 1) + 2);
    char *p = out;
    if (!out)
        return NULL;
    for (; *name; name++) {
        if (*name == '/')
            p = stpcpy(p, slash);
        else
            *p++ = *name;
    }
    strcpy(p, dots ? "_" : "");
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

int rsd_store_parents(rsd_store *s, const char *path)
{
    assert(path[0] == '/');
    const char *slash = strrchr(path, '/');
    char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
    const int err = parent ? make_groups(s, parent)
                           : RSD_FAIL(RSD_ENOMEM, "%s: no memory to make %s", s->path, path);
    free(parent);
    return err;
}

int rsd_store_group(rsd_store *s, const char *path)
{
    rsd_store_quiet();
    RSD_TRY(rsd_store_need_writable(s));
    RSD_TRY(rsd_store_parents(s, path));
    const hid_t group = rsd_store_exists(s, path)
                            ? H5Gopen2(s->file, path, H5P_DEFAULT)
                            : H5Gcreate2(s->file, path, s->link_plist, s->group_plist, H5P_DEFAULT);
    return STORE_DROP(s, path, group < 0 ? STORE_FAIL(s, "make group", path) : RSD_OK, group);
}

typedef struct {
    rsd_names *names;
    size_t room;
} collector;

static herr_t collect(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    collector *c = context;
    (void)group, (void)info;
    if (rsd_store_grow(&c->names->name, c->names->count, &c->room, sizeof *c->names->name) ||
        !(c->names->name[c->names->count] = strdup(name)))
        return -1;
    c->names->count++;
    return 0;
}

int rsd_store_members(const rsd_store *s, const char *path, rsd_names *out)
{
    int err = RSD_OK;
    unsigned order = 0;
    hid_t plist = H5I_INVALID_HID;
    collector c = { out, 0 };
    rsd_store_quiet();
    *out = (rsd_names){ 0 };
    const hid_t group = H5Gopen2(s->file, path, H5P_DEFAULT);
    if (group < 0)
        return rsd_store_fail_open(s, path);
    plist = H5Gget_create_plist(group);
    /* Groups made by other programs may not know their order: by name then. */
    if (plist < 0 || H5Pget_link_creation_order(plist, &order) < 0 ||
        H5Literate(group, order & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME,
                   H5_ITER_INC, NULL, collect, &c) < 0)
        err = STORE_FAIL(s, "list", path);
    err = STORE_DROP(s, path, err, plist, group);
    if (err)
        rsd_names_free(out);
    return err;
}

void rsd_names_free(rsd_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (rsd_names){ 0 };
}
