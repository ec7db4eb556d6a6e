/* Adapters into a folder of PEFT's format. */
#include "adapters/peft_folder.h"

#include "alloc.h"
#include "io/file.h"
#include "io/peft.h"
#include "io/safetensors.h"
#include "mat.h"
#include "transformer/create.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 256 };

/* One layer's LoRA as it is written. */
typedef struct {
    char module[NAME];
    size_t layer;
    rsd_slot slot;
    const rsd_adapter *a;
    size_t rank; /* of what is written */
} item;

typedef struct {
    const rsd_adapters *adapters;
    size_t count;
    item *item;
    bool turned; /* the base stores in x out */
} items;

/* Triplets of adalora that count. */
static size_t written_rank(const rsd_adapter *a)
{
    size_t rank = a->rank;
    for (size_t k = 0; k < a->rank && a->lambda; k++)
        rank -= a->lambda[k] == 0;
    return rank;
}

static int add_item(items *list, const rsd_parameter *p, const rsd_role *role)
{
    const size_t layer = (size_t)role->layer;
    rsd_slot slot = 0;
    while (slot < RSD_LINEARS && strcmp(rsd_slot_role(slot), role->role) != 0)
        slot++;
    if (slot == RSD_LINEARS || layer >= list->adapters->layers)
        return RSD_FAIL(RSD_EARG, "the adapters have no layer for '%s'", p->name);
    item it = { .layer = layer, .slot = slot, .a = &list->adapters->layer[layer][slot] };
    it.rank = written_rank(it.a);
    snprintf(it.module, sizeof it.module, "%.*s", (int)(strlen(p->name) - strlen(".weight")),
             p->name);
    list->turned = p->turned;
    if (it.rank)
        list->item[list->count++] = it;
    return RSD_OK;
}

/* The layers in the order of the architecture's tensors, by the names of its usual files. */
static int list_items(const rsd_adapters *a, const rsd_weights *w, items *out)
{
    rsd_parameters p;
    *out = (items){ .adapters = a };
    RSD_TRY(rsd_parameters_list(w->arch, &w->shape, NULL, &p));
    int err = rsd_array_alloc(p.count, 1, sizeof *out->item, &out->item);
    for (size_t i = 0; i < p.count && !err; i++) {
        const rsd_role role = rsd_role_of(w->arch->name, p.item[i].name);
        if (role.linear)
            err = add_item(out, &p.item[i], &role);
    }
    rsd_parameters_free(&p);
    if (!err && !out->count)
        return RSD_FAIL(RSD_EARG, "no layer has a rank: there is no adapter to write");
    return err;
}

/* ---- configuration ---- */

/* The number that divided by the rank (its root) gives s, which is float32: whole where s came from
 * a whole one. */
static double alpha_of(const item *it, bool rslora)
{
    const double r = (double)it->rank, s = (double)it->a->scale;
    const double alpha = s * (rslora ? sqrt(r) : r), whole = nearbyint(alpha);
    return (rsd_real)(whole / (rslora ? sqrt(r) : r)) == it->a->scale ? whole : alpha;
}

/* "mlp.up_proj" where every layer has it; each by its full name otherwise. */
static int add_targets(const items *list, rsd_peft_config *c)
{
    for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
        size_t with = 0;
        for (size_t i = 0; i < list->count; i++)
            with += list->item[i].slot == s;
        for (size_t i = 0; i < list->count; i++) {
            const item *it = &list->item[i];
            char number[32];
            snprintf(number, sizeof number, ".%zu.", it->layer);
            const bool all = with == list->adapters->layers;
            if (it->slot != s || (all && it->layer))
                continue;
            RSD_TRY(rsd_peft_config_target(c, all ? strstr(it->module, number) + strlen(number)
                                                  : it->module));
        }
    }
    return RSD_OK;
}

static int write_config(const items *list, const rsd_peft_options *o, const char *path)
{
    rsd_peft_config c = { .rank = list->item[0].rank,
                          .alpha = alpha_of(&list->item[0], o->rslora),
                          .rslora = o->rslora,
                          .dora = list->adapters->variant == RSD_DORA,
                          .fan_in_fan_out = list->turned };
    int err = RSD_OK;
    err = rsd_copy_text(o->base, &c.base);
    if (!err)
        err = add_targets(list, &c);
    for (size_t i = 1; i < list->count && !err; i++) {
        const item *it = &list->item[i];
        const double alpha = alpha_of(it, o->rslora);
        if (it->rank != c.rank || alpha != c.alpha)
            err = rsd_peft_config_except(&c, it->module, it->rank, alpha);
    }
    if (!err)
        err = rsd_peft_config_write(&c, path);
    rsd_peft_config_free(&c);
    return err;
}

/* ---- tensors ---- */

static int declare(rsd_st_writer *file, const item *it)
{
    const rsd_adapter *a = it->a;
    const size_t A[2] = { it->rank, a->n }, B[2] = { a->m, it->rank };
    char name[NAME + 64];
    snprintf(name, sizeof name, "base_model.model.%s.lora_A.weight", it->module);
    RSD_TRY(rsd_st_writer_declare(file, name, "F32", 2, A, A[0] * A[1] * sizeof(float)));
    snprintf(name, sizeof name, "base_model.model.%s.lora_B.weight", it->module);
    RSD_TRY(rsd_st_writer_declare(file, name, "F32", 2, B, B[0] * B[1] * sizeof(float)));
    if (!a->magnitude)
        return RSD_OK;
    snprintf(name, sizeof name, "base_model.model.%s.lora_magnitude_vector", it->module);
    return rsd_st_writer_declare(file, name, "F32", 1, &a->m, a->m * sizeof(float));
}

static bool counts(const rsd_adapter *a, size_t k) { return !a->lambda || a->lambda[k] != 0; }

static int write_item(rsd_st_writer *file, const item *it)
{
    const rsd_adapter *a = it->a;
    float *x;
    size_t n = 0;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(a->m > a->n ? a->m : a->n, it->rank, sizeof *x, &x));
    for (size_t k = 0; k < a->rank; k++)
        for (size_t j = 0; j < a->n && counts(a, k); j++)
            x[n++] = (float)a->A[k * (a->n / a->pool) + j / a->pool];
    RSD_TRY_DONE(rsd_st_writer_data(file, x, n * sizeof *x));
    n = 0;
    for (size_t i = 0; i < a->m; i++)
        for (size_t k = 0; k < a->rank; k++)
            if (counts(a, k))
                x[n++] = (float)(a->B[i * a->rank + k] * (a->lambda ? a->lambda[k] : 1));
    RSD_TRY_DONE(rsd_st_writer_data(file, x, n * sizeof *x));
    for (size_t i = 0; i < a->m && a->magnitude; i++)
        x[i] = (float)a->magnitude[i];
    if (a->magnitude)
        err = rsd_st_writer_data(file, x, a->m * sizeof *x);
done:
    free(x);
    return err;
}

static int write_tensors(rsd_st_writer *file, const items *list, const char *path)
{
    RSD_TRY(rsd_st_writer_metadata(file, "format", "pt"));
    for (size_t i = 0; i < list->count; i++)
        RSD_TRY(declare(file, &list->item[i]));
    RSD_TRY(rsd_st_writer_begin(file, path));
    for (size_t i = 0; i < list->count; i++)
        RSD_TRY(write_item(file, &list->item[i]));
    return rsd_st_writer_commit(file);
}

int rsd_peft_write(const char *folder, const rsd_adapters *a, const rsd_weights *w,
                   const rsd_peft_options *options)
{
    items list = { 0 };
    rsd_st_writer *file = NULL;
    char *config = rsd_path_join(folder, "adapter_config.json");
    char *tensors = rsd_path_join(folder, "adapter_model.safetensors");
    int err = config && tensors ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "%s: path", folder);
    RSD_TRY_DONE(err);
    RSD_TRY_DONE(list_items(a, w, &list));
    RSD_TRY_DONE(rsd_make_folder(folder));
    RSD_TRY_DONE(rsd_st_writer_alloc(&file));
    RSD_TRY_DONE(write_tensors(file, &list, tensors));
    err = write_config(&list, options, config);
done:
    rsd_st_writer_free(file);
    free(list.item);
    free(tensors);
    free(config);
    return err;
}
