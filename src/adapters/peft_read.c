/* Adapters from a folder of PEFT's format. */
#include "adapters/peft_folder.h"

#include "io/file.h"
#include "io/peft.h"
#include "io/safetensors.h"
#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_A, PART_B, PART_MAGNITUDE, PARTS, NAME = 512 };

static const struct {
    const char *end;
    int part;
} ends[] = {
    { ".lora_A.weight", PART_A },
    { ".lora_B.weight", PART_B },
    { ".lora_magnitude_vector", PART_MAGNITUDE },
    { ".lora_magnitude_vector.weight", PART_MAGNITUDE },
};

/* One layer's tensors in the file; NULL where it has none. */
typedef struct {
    const rsd_st_entry *part[PARTS];
    char module[NAME];
} layer_parts;

typedef struct {
    const rsd_weights *w;
    rsd_peft_config config;
    rsd_map map;
    rsd_safetensors st;
    layer_parts (*layer)[RSD_LINEARS];
    rsd_adapter_plan (*plan)[RSD_LINEARS];
} reader;

/* ---- which tensor is what ---- */

/* "base_model.model.MODULE.lora_A.weight"; *part is PARTS when it is none of these. */
static void split(const char *name, char module[NAME], int *part)
{
    static const char prefix[] = "base_model.model.";
    const size_t n = strlen(name), start = sizeof prefix - 1;
    *part = PARTS;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t k = strlen(ends[i].end);
        if (strncmp(name, prefix, start) != 0 || n < start + k || n - start - k >= NAME ||
            strcmp(name + n - k, ends[i].end) != 0)
            continue;
        snprintf(module, NAME, "%.*s", (int)(n - start - k), name + start);
        *part = ends[i].part;
    }
}

static int place_tensor(reader *r, const rsd_st_entry *e)
{
    char module[NAME], tensor[NAME + 16];
    int part;
    split(e->name, module, &part);
    if (part == PARTS)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is none of LoRA's", e->name);
    snprintf(tensor, sizeof tensor, "%s.weight", module);
    const rsd_role role = rsd_role_of(r->w->arch->name, tensor);
    rsd_slot slot = 0;
    while (slot < RSD_LINEARS && strcmp(rsd_slot_role(slot), role.role) != 0)
        slot++;
    if (!role.linear || slot == RSD_LINEARS || (size_t)role.layer >= r->w->shape.layers ||
        !r->w->block[role.layer].linear[slot].W.rows)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' belongs to no linear layer of this %s", e->name,
                        r->w->arch->name);
    if (!rsd_dtype_is_real(e->dtype))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is %s", e->name, rsd_dtype_name(e->dtype));
    layer_parts *l = &r->layer[role.layer][slot];
    if (l->part[part])
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is there twice", e->name);
    l->part[part] = e;
    memcpy(l->module, module, sizeof module);
    return RSD_OK;
}

/* ---- what the layer is to have ---- */

static int check_shapes(const reader *r, const layer_parts *l, size_t m, size_t n)
{
    const rsd_st_entry *A = l->part[PART_A], *B = l->part[PART_B], *g = l->part[PART_MAGNITUDE];
    if (!A || !B || !g != !r->config.dora)
        return RSD_FAIL(RSD_EFORMAT, "%s has%s lora_A,%s lora_B and%s magnitudes, use_dora is %s",
                        l->module, A ? "" : " no", B ? "" : " no", g ? "" : " no",
                        r->config.dora ? "true" : "false");
    if (A->ndim != 2 || B->ndim != 2 || A->shape[1] != n || B->shape[0] != m ||
        A->shape[0] != B->shape[1] || !A->shape[0])
        return RSD_FAIL(RSD_EFORMAT, "%s: lora_A and lora_B do not fit a layer of %zu x %zu",
                        l->module, m, n);
    if (g && (g->ndim != 1 || g->shape[0] != m))
        return RSD_FAIL(RSD_EFORMAT, "%s: magnitudes of another number than its %zu outputs",
                        l->module, m);
    return RSD_OK;
}

static int plan_layer(reader *r, size_t layer, rsd_slot slot)
{
    const layer_parts *l = &r->layer[layer][slot];
    const rsd_factor *W = &r->w->block[layer].linear[slot].W;
    rsd_adapter_plan *p = &r->plan[layer][slot];
    double alpha;
    *p = (rsd_adapter_plan){ .rank = 0, .pool = 1, .scale = 1 };
    if (!l->part[PART_A] && !l->part[PART_B] && !l->part[PART_MAGNITUDE])
        return RSD_OK;
    RSD_TRY(check_shapes(r, l, W->rows, W->cols));
    RSD_TRY(rsd_peft_config_alpha(&r->config, l->module, &alpha));
    p->rank = l->part[PART_A]->shape[0];
    const double rank = (double)p->rank;
    p->scale = (rsd_real)(alpha / (r->config.rslora ? sqrt(rank) : rank));
    return RSD_OK;
}

static int plan_all(reader *r)
{
    if (!r->st.count)
        return RSD_FAIL(RSD_EFORMAT, "no tensor in it");
    RSD_TRY(rsd_array_alloc(r->w->shape.layers, 1, sizeof *r->layer, &r->layer));
    RSD_TRY(rsd_array_alloc(r->w->shape.layers, 1, sizeof *r->plan, &r->plan));
    memset(r->layer, 0, r->w->shape.layers * sizeof *r->layer);
    for (size_t i = 0; i < r->st.count; i++)
        RSD_TRY(place_tensor(r, &r->st.entry[i]));
    for (size_t i = 0; i < r->w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            RSD_TRY(plan_layer(r, i, s));
    return RSD_OK;
}

/* ---- numbers ---- */

static int read_part(const reader *r, const rsd_st_entry *e, rsd_real *x)
{
    rsd_mat v;
    const size_t n = e->shape[0] * (e->ndim == 2 ? e->shape[1] : 1); /* of W's order */
    RSD_TRY(rsd_mat_alloc(1, n, &v));
    rsd_dtype_to_f32(e->dtype, r->map.data + e->offset, v.x, n);
    const int err = rsd_mat_check_finite(v);
    for (size_t i = 0; i < n; i++)
        x[i] = (rsd_real)v.x[i];
    rsd_mat_free(&v);
    return err ? rsd_fail_prefix(err, "%s", e->name) : RSD_OK;
}

static int read_layer(const reader *r, const layer_parts *l, const rsd_adapter *a)
{
    if (!a->rank)
        return RSD_OK;
    RSD_TRY(read_part(r, l->part[PART_A], a->A));
    RSD_TRY(read_part(r, l->part[PART_B], a->B));
    return a->magnitude ? read_part(r, l->part[PART_MAGNITUDE], a->magnitude) : RSD_OK;
}

static int read_tensors(reader *r, const char *path, rsd_adapters *out)
{
    RSD_TRY(rsd_map_open(path, &r->map));
    RSD_TRY(rsd_safetensors_parse(r->map.data, r->map.size, &r->st));
    RSD_TRY(plan_all(r));
    RSD_TRY(rsd_adapters_alloc(r->w, r->config.dora ? RSD_DORA : RSD_LORA,
                               (const rsd_adapter_plan(*)[RSD_LINEARS])r->plan, out));
    for (size_t i = 0; i < out->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            RSD_TRY(read_layer(r, &r->layer[i][s], &out->layer[i][s]));
    return RSD_OK;
}

int rsd_peft_read(const char *folder, const rsd_weights *w, rsd_adapters *out)
{
    reader r = { .w = w };
    *out = (rsd_adapters){ 0 };
    char *config = rsd_path_join(folder, "adapter_config.json");
    char *tensors = rsd_path_join(folder, "adapter_model.safetensors");
    int err = config && tensors ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "%s: path", folder);
    RSD_TRY_DONE(err);
    RSD_TRY_DONE(rsd_peft_config_read(config, &r.config));
    err = read_tensors(&r, tensors, out);
    if (err)
        rsd_fail_prefix(err, "%s", tensors);
done:
    rsd_safetensors_free(&r.st);
    rsd_map_close(&r.map);
    rsd_peft_config_free(&r.config);
    free(r.layer);
    free(r.plan);
    free(tensors);
    free(config);
    return err;
}
