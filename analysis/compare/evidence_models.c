/* Which model of which file is which: by name and weights. */
#include "alloc.h"
#include "compare/evidence_parts.h"
#include "result/result.h"

#include <stdlib.h>
#include <string.h>

static int read_sha256(const rsd_store *store, const char *model, char **sha256)
{
    char *path = result_model_path(model);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", model);
    if (!rsd_store_exists(store, path) || rsd_store_get_text(store, path, "sha256", sha256))
        *sha256 = NULL; /* not known: it goes with the first of this name */
    free(path);
    return RSD_OK;
}

static int add_model(evidence *e, const char *name, const char *sha256, bool taken,
                     const char **label)
{
    RSD_TRY(rsd_room(&e->known, e->models, 1, sizeof *e->known));
    evidence_model *m = &e->known[e->models++];
    *m = (evidence_model){ 0 };
    RSD_TRY(rsd_copy_text(name, &m->name));
    RSD_TRY(rsd_copy_text(sha256, &m->sha256));
    if (taken)
        RSD_TRY(rsd_format(&m->label, "%s@%.8s", name, sha256));
    else
        RSD_TRY(rsd_copy_text(name, &m->label));
    *label = m->label;
    return RSD_OK;
}

int evidence_label(evidence *e, const rsd_store *store, const char *name, const char **label)
{
    char *sha256;
    bool taken = false;
    *label = NULL;
    RSD_TRY(read_sha256(store, name, &sha256));
    for (size_t i = 0; i < e->models && !*label; i++) {
        const evidence_model *m = &e->known[i];
        if (strcmp(m->name, name) != 0)
            continue;
        taken = true;
        if (!sha256 || !m->sha256 || strcmp(sha256, m->sha256) == 0)
            *label = m->label;
    }
    const int err = *label ? RSD_OK : add_model(e, name, sha256, taken, label);
    free(sha256);
    return err;
}
