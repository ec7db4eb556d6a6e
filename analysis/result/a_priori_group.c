/* Groups of /a_priori: written one by one, read all together. */
#include "result/a_priori_group.h"

#include "alloc.h"

#include <stdlib.h>

static const char root[] = "/a_priori";

static int path_of(const char *model, const char *tensor, const char *spec, char **out)
{
    char *m = rsd_store_escape(model), *t = rsd_store_escape(tensor), *s = rsd_store_escape(spec);
    const int err = m && t && s ? rsd_format(out, "%s/%s/%s/%s", root, m, t, s)
                                : RSD_FAIL(RSD_ENOMEM, "path of %s", tensor);
    free(s);
    free(t);
    free(m);
    return err;
}

/* ---- writing ---- */

static int put_attributes(rsd_store *store, const char *path, const a_priori_curve *c)
{
    RSD_TRY(rsd_store_set_text(store, path, "role", c->place.role));
    RSD_TRY(rsd_store_set_int(store, path, "layer", c->place.layer));
    RSD_TRY(rsd_store_set_int(store, path, "rows", (int64_t)c->place.rows));
    RSD_TRY(rsd_store_set_int(store, path, "cols", (int64_t)c->place.cols));
    RSD_TRY(rsd_store_set_real(store, path, "energy", c->energy));
    RSD_TRY(rsd_store_set_real(store, path, "leaked", c->leaked));
    return rsd_store_set_real(store, path, "damping", c->damping);
}

int a_priori_write(rsd_store *store, const a_priori_curve *c)
{
    char *path = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(path_of(c->place.model, c->place.tensor, c->spec, &path));
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(put_attributes(store, path, c));
    err = result_write_curve(store, path, "cumulative_energy", c->share, c->n, "share",
                             "of the energy of GRH that is expected in the r largest, without R");
done:
    free(path);
    return err;
}

/* ---- reading ---- */

static int get_size(const rsd_store *store, const char *path, const char *name, size_t *out)
{
    int64_t v;
    RSD_TRY(rsd_store_get_int(store, path, name, &v));
    if (v < 1)
        return RSD_FAIL(RSD_EFORMAT, "%s: %s: %s is %lld", rsd_store_path(store), path, name,
                        (long long)v);
    *out = (size_t)v;
    return RSD_OK;
}

static int read_share(const rsd_store *store, const char *path, a_priori_curve *c)
{
    const size_t most = c->place.rows < c->place.cols ? c->place.rows : c->place.cols;
    char *array = NULL;
    size_t ndim, shape[2];
    RSD_TRY(rsd_format(&array, "%s/cumulative_energy", path));
    int err = rsd_store_read_array(store, array, &c->share, &ndim, shape);
    if (!err && (ndim != 1 || shape[0] > most))
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s: %zu ranks of a matrix that has %zu",
                       rsd_store_path(store), array, shape[0], most);
    c->n = err ? 0 : shape[0];
    free(array);
    return err;
}

/* A text changes hands. */
static int own(a_priori_curves *all, char *text, const char **out)
{
    const int err = rsd_room(&all->texts.name, all->texts.count, 1, sizeof *all->texts.name);
    if (err)
        free(text);
    else
        *out = all->texts.name[all->texts.count++] = text;
    return err;
}

static int own_copy(a_priori_curves *all, const char *text, const char **out)
{
    char *copy;
    RSD_TRY(rsd_copy_text(text, &copy));
    return own(all, copy, out);
}

static int get_texts(const rsd_store *store, a_priori_curves *all, const char *path,
                     const char *model, const char *tensor, const char *spec, a_priori_curve *c)
{
    char *role;
    RSD_TRY(rsd_store_get_text(store, path, "role", &role));
    RSD_TRY(own(all, role, &c->place.role));
    RSD_TRY(own_copy(all, model, &c->place.model));
    RSD_TRY(own_copy(all, tensor, &c->place.tensor));
    return own_copy(all, spec, &c->spec);
}

static int read_curve(const rsd_store *store, a_priori_curves *all, const char *model,
                      const char *tensor, const char *spec)
{
    char *path;
    int64_t layer;
    int err = RSD_OK;
    RSD_TRY(rsd_room(&all->curve, all->count, 1, sizeof *all->curve));
    a_priori_curve *c = &all->curve[all->count++];
    *c = (a_priori_curve){ 0 };
    RSD_TRY(path_of(model, tensor, spec, &path));
    RSD_TRY_DONE(get_texts(store, all, path, model, tensor, spec, c));
    RSD_TRY_DONE(rsd_store_get_int(store, path, "layer", &layer));
    RSD_TRY_DONE(get_size(store, path, "rows", &c->place.rows));
    RSD_TRY_DONE(get_size(store, path, "cols", &c->place.cols));
    RSD_TRY_DONE(rsd_store_get_real(store, path, "energy", &c->energy));
    RSD_TRY_DONE(rsd_store_get_real(store, path, "leaked", &c->leaked));
    RSD_TRY_DONE(rsd_store_get_real(store, path, "damping", &c->damping));
    c->place.layer = (int)layer;
    err = read_share(store, path, c);
done:
    free(path);
    return err;
}

static int names_below(const rsd_store *store, const char *first, const char *second,
                       rsd_names *out)
{
    char *a = first ? rsd_store_escape(first) : NULL, *b = second ? rsd_store_escape(second) : NULL;
    char *path = NULL;
    int err = (first && !a) || (second && !b) ? RSD_FAIL(RSD_ENOMEM, "path of %s", first) : RSD_OK;
    if (!err)
        err = rsd_format(&path, "%s%s%s%s%s", root, a ? "/" : "", a ? a : "", b ? "/" : "",
                         b ? b : "");
    if (!err)
        err = rsd_store_names(store, path, out);
    free(path);
    free(b);
    free(a);
    return err;
}

static int read_tensor(const rsd_store *store, a_priori_curves *all, const char *model,
                       const char *tensor)
{
    rsd_names specs = { 0 };
    int err = names_below(store, model, tensor, &specs);
    for (size_t i = 0; i < specs.count && !err; i++)
        err = read_curve(store, all, model, tensor, specs.name[i]);
    rsd_names_free(&specs);
    return err;
}

int a_priori_read(const rsd_store *store, a_priori_curves *out)
{
    rsd_names models = { 0 };
    *out = (a_priori_curves){ 0 };
    int err = names_below(store, NULL, NULL, &models);
    for (size_t i = 0; i < models.count && !err; i++) {
        rsd_names tensors = { 0 };
        err = names_below(store, models.name[i], NULL, &tensors);
        for (size_t k = 0; k < tensors.count && !err; k++)
            err = read_tensor(store, out, models.name[i], tensors.name[k]);
        rsd_names_free(&tensors);
    }
    rsd_names_free(&models);
    return err;
}

void a_priori_free(a_priori_curves *curves)
{
    for (size_t i = 0; i < curves->count; i++)
        free(curves->curve[i].share);
    free(curves->curve);
    rsd_names_free(&curves->texts);
    *curves = (a_priori_curves){ 0 };
}
