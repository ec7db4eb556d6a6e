#include "transformer/create.h"

#include "fp.h"
#include "io/config.h"
#include "io/safetensors.h"
#include "mat.h"
#include "rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names without ".weight"; % is the layer.  biased: slots that have a bias, as bits. */
typedef struct {
    const char *arch, *prefix; /* of norms, whose names are rsd_arch's */
    const char *embedding, *position, *head;
    const char *linear[RSD_LINEARS];
    unsigned biased;
    bool turned; /* linear layers of blocks */
} naming;

#define BIT(slot) (1u << (slot))
#define LLAMA_NAMES                                                                                \
    .prefix = "model.", .embedding = "model.embed_tokens", .head = "lm_head",                      \
    .linear = {                                                                                    \
        [RSD_Q] = "model.layers.%.self_attn.q_proj", [RSD_K] = "model.layers.%.self_attn.k_proj",  \
        [RSD_V] = "model.layers.%.self_attn.v_proj", [RSD_O] = "model.layers.%.self_attn.o_proj",  \
        [RSD_GATE] = "model.layers.%.mlp.gate_proj", [RSD_UP] = "model.layers.%.mlp.up_proj",      \
        [RSD_DOWN] = "model.layers.%.mlp.down_proj"                                                \
    }

static const naming namings[] = {
    { .arch = "gpt_neox",
      .prefix = "gpt_neox.",
      .embedding = "gpt_neox.embed_in",
      .head = "embed_out",
      .linear = { [RSD_QKV] = "gpt_neox.layers.%.attention.query_key_value",
                  [RSD_O] = "gpt_neox.layers.%.attention.dense",
                  [RSD_UP] = "gpt_neox.layers.%.mlp.dense_h_to_4h",
                  [RSD_DOWN] = "gpt_neox.layers.%.mlp.dense_4h_to_h" },
      .biased = BIT(RSD_QKV) | BIT(RSD_O) | BIT(RSD_UP) | BIT(RSD_DOWN) },
    { .arch = "gpt2",
      .prefix = "transformer.",
      .embedding = "transformer.wte",
      .position = "transformer.wpe",
      .head = "lm_head",
      .linear = { [RSD_QKV] = "transformer.h.%.attn.c_attn",
                  [RSD_O] = "transformer.h.%.attn.c_proj",
                  [RSD_UP] = "transformer.h.%.mlp.c_fc",
                  [RSD_DOWN] = "transformer.h.%.mlp.c_proj" },
      .biased = BIT(RSD_QKV) | BIT(RSD_O) | BIT(RSD_UP) | BIT(RSD_DOWN),
      .turned = true },
    { .arch = "gpt_neo",
      .prefix = "transformer.",
      .embedding = "transformer.wte",
      .position = "transformer.wpe",
      .head = "lm_head",
      .linear = { [RSD_Q] = "transformer.h.%.attn.attention.q_proj",
                  [RSD_K] = "transformer.h.%.attn.attention.k_proj",
                  [RSD_V] = "transformer.h.%.attn.attention.v_proj",
                  [RSD_O] = "transformer.h.%.attn.attention.out_proj",
                  [RSD_UP] = "transformer.h.%.mlp.c_fc",
                  [RSD_DOWN] = "transformer.h.%.mlp.c_proj" },
      .biased = BIT(RSD_O) | BIT(RSD_UP) | BIT(RSD_DOWN) },
    { .arch = "llama", LLAMA_NAMES },
    { .arch = "mistral", LLAMA_NAMES },
    { .arch = "qwen2", LLAMA_NAMES, .biased = BIT(RSD_Q) | BIT(RSD_K) | BIT(RSD_V) },
};

typedef struct {
    const naming *names;
    const rsd_arch *arch;
    const rsd_shape *shape;
    const rsd_weights *w;
    rsd_parameters *out;
    size_t layer;
} lister;

/* "a.%.b" with the layer and an ending. */
static void spell(const lister *l, const char *prefix, const char *pattern, const char *end,
                  char name[128])
{
    const char *percent = strchr(pattern, '%');
    if (percent)
        snprintf(name, 128, "%s%.*s%zu%s%s", prefix, (int)(percent - pattern), pattern, l->layer,
                 percent + 1, end);
    else
        snprintf(name, 128, "%s%s%s", prefix, pattern, end);
}

/* The next parameter; x is an address inside the block of the weights, which may be changed. */
static rsd_parameter *add(const lister *l, size_t rows, size_t cols, rsd_fill fill,
                          const rsd_real *x)
{
    rsd_parameter *p = &l->out->item[l->out->count++];
    *p = (rsd_parameter){ .rows = rows,
                          .cols = cols,
                          .fill = fill,
                          .x = l->w && x ? l->w->memory + (x - l->w->memory) : NULL };
    return p;
}

static void add_norm(const lister *l, const char *module, const rsd_norm *norm)
{
    const size_t C = l->shape->width;
    spell(l, l->names->prefix, module, ".weight",
          add(l, C, 0, RSD_FILL_ONE, norm ? norm->w : NULL)->name);
    if (l->shape->norm == RSD_NORM_LAYER)
        spell(l, l->names->prefix, module, ".bias",
              add(l, C, 0, RSD_FILL_ZERO, norm ? norm->b : NULL)->name);
}

static void add_linear(const lister *l, rsd_slot slot)
{
    const rsd_shape *s = l->shape;
    const size_t q = s->heads * s->head_size, kv = s->kv_heads * s->head_size;
    const size_t outs[RSD_LINEARS] = {
        [RSD_Q] = q,        [RSD_K] = kv,           [RSD_V] = kv,         [RSD_QKV] = q + 2 * kv,
        [RSD_O] = s->width, [RSD_GATE] = s->hidden, [RSD_UP] = s->hidden, [RSD_DOWN] = s->width,
    };
    const size_t in = slot == RSD_O ? q : slot == RSD_DOWN ? s->hidden : s->width;
    const rsd_fill fill = slot == RSD_O || slot == RSD_DOWN ? RSD_FILL_RESIDUAL : RSD_FILL_NORMAL;
    const rsd_linear *linear = l->w ? &l->w->block[l->layer].linear[slot] : NULL;
    rsd_parameter *p = add(l, outs[slot], in, fill, linear ? linear->W.x : NULL);
    p->turned = l->names->turned;
    spell(l, "", l->names->linear[slot], ".weight", p->name);
    if (l->names->biased & BIT(slot))
        spell(l, "", l->names->linear[slot], ".bias",
              add(l, outs[slot], 0, RSD_FILL_ZERO, linear ? linear->bias : NULL)->name);
}

static void add_all(lister *l)
{
    const rsd_shape *s = l->shape;
    const rsd_weights *w = l->w;
    spell(l, "", l->names->embedding, ".weight",
          add(l, s->vocab, s->width, RSD_FILL_NORMAL, w ? w->embedding.E : NULL)->name);
    if (s->positions)
        spell(l, "", l->names->position, ".weight",
              add(l, s->context, s->width, RSD_FILL_NORMAL, w ? w->embedding.P : NULL)->name);
    for (l->layer = 0; l->layer < s->layers; l->layer++) {
        const rsd_block_weights *b = w ? &w->block[l->layer] : NULL;
        add_norm(l, l->arch->norm1, b ? &b->norm1 : NULL);
        add_norm(l, l->arch->norm2, b ? &b->norm2 : NULL);
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (l->names->linear[slot])
                add_linear(l, slot);
    }
    add_norm(l, l->arch->final_norm, w ? &w->final_norm : NULL);
    if (!s->tied)
        spell(l, "", l->names->head, ".weight",
              add(l, s->vocab, s->width, RSD_FILL_NORMAL, w ? w->head.W.x : NULL)->name);
}

int rsd_parameters_list(const rsd_arch *arch, const rsd_shape *shape, const rsd_weights *w,
                        rsd_parameters *out)
{
    *out = (rsd_parameters){ 0 };
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++)
        if (strcmp(namings[i].arch, arch->name) == 0) {
            lister l = { &namings[i], arch, shape, w, out, 0 };
            const size_t most = 5 + shape->layers * (4 + 2 * RSD_LINEARS);
            RSD_TRY(rsd_array_alloc(most, 1, sizeof *out->item, &out->item));
            add_all(&l);
            return RSD_OK;
        }
    return RSD_FAIL(RSD_ENOTFOUND, "how %s names its tensors is not known here", arch->name);
}

void rsd_parameters_free(rsd_parameters *p)
{
    free(p->item);
    *p = (rsd_parameters){ 0 };
}

size_t rsd_parameter_elements(const rsd_parameter *p) { return p->rows * (p->cols ? p->cols : 1); }

/* ---- writing ---- */

static int declare(rsd_st_writer *file, const rsd_parameter *p, rsd_dtype dtype)
{
    const size_t shape[2] = { p->turned ? p->cols : p->rows, p->turned ? p->rows : p->cols };
    return rsd_st_writer_declare(file, p->name, rsd_dtype_name(dtype), p->cols ? 2 : 1, shape,
                                 rsd_parameter_elements(p) * rsd_dtype_bytes(dtype));
}

/* As the file lays it out, in float32. */
static void lay_out(const rsd_parameter *p, float *y)
{
    const size_t n = rsd_parameter_elements(p);
    if (!p->turned)
        for (size_t i = 0; i < n; i++)
            y[i] = (float)p->x[i];
    else
        for (size_t i = 0; i < p->rows; i++)
            for (size_t j = 0; j < p->cols; j++)
                y[j * p->rows + i] = (float)p->x[i * p->cols + j];
}

static int write_one(rsd_st_writer *file, const rsd_parameter *p, rsd_dtype dtype, float *y,
                     uint16_t *code)
{
    const size_t n = rsd_parameter_elements(p);
    const rsd_fp *format = dtype == RSD_F16 ? &rsd_fp16 : &rsd_bf16;
    lay_out(p, y);
    if (dtype == RSD_F32)
        return rsd_st_writer_data(file, y, n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(y[i]) <= format->max))
            return RSD_FAIL(RSD_EDOM, "tensor '%s': number %zu is %g, beyond %s", p->name, i, y[i],
                            format->name);
    rsd_fp_encode_array(format, y, code, n, true);
    return rsd_st_writer_data(file, code, n * sizeof *code);
}

int rsd_parameters_write(const rsd_parameters *p, rsd_dtype dtype, const char *path)
{
    assert(dtype == RSD_F32 || dtype == RSD_F16 || dtype == RSD_BF16);
    rsd_st_writer *file = NULL;
    float *y = NULL;
    uint16_t *code = NULL;
    size_t most = 1;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_st_writer_alloc(&file));
    RSD_TRY_DONE(rsd_st_writer_metadata(file, "format", "pt")); /* transformers insists on it */
    for (size_t i = 0; i < p->count; i++) {
        const size_t n = rsd_parameter_elements(&p->item[i]);
        most = n > most ? n : most;
        RSD_TRY_DONE(declare(file, &p->item[i], dtype));
    }
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *y, &y));
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *code, &code));
    RSD_TRY_DONE(rsd_st_writer_begin(file, path));
    for (size_t i = 0; i < p->count; i++)
        RSD_TRY_DONE(write_one(file, &p->item[i], dtype, y, code));
    err = rsd_st_writer_commit(file);
done:
    rsd_st_writer_free(file);
    free(code);
    free(y);
    return err;
}

/* ---- initial values ---- */

static int fill(const rsd_parameter *p, uint64_t seed, size_t layers)
{
    const size_t n = rsd_parameter_elements(p);
    const double scale = p->fill == RSD_FILL_RESIDUAL ? 0.02 / sqrt(2 * (double)layers) : 0.02;
    rsd_rng *rng;
    if (p->fill == RSD_FILL_ONE || p->fill == RSD_FILL_ZERO) {
        for (size_t i = 0; i < n; i++)
            p->x[i] = p->fill == RSD_FILL_ONE;
        return RSD_OK;
    }
    RSD_TRY(rsd_rng_alloc(seed, p->name, &rng));
    for (size_t i = 0; i < n; i++)
        p->x[i] = (rsd_real)(scale * rsd_rng_normal(rng));
    rsd_rng_free(rng);
    return RSD_OK;
}

int rsd_create_shape(const char *text, const rsd_arch **arch, rsd_shape *shape)
{
    rsd_config *c = NULL;
    const char *type = NULL;
    int err = rsd_config_parse(text, &c);
    if (!err)
        err = rsd_config_text(c, "model_type", &type);
    if (!err && !type)
        err = RSD_FAIL(RSD_EFORMAT, "config.json: no model_type");
    if (!err)
        err = rsd_arch_configure(type, text, arch, shape);
    rsd_config_free(c);
    return err;
}

int rsd_create(const char *config, uint64_t seed, const char *path)
{
    const rsd_arch *arch;
    rsd_shape shape;
    rsd_parameters p = { 0 };
    rsd_real *memory = NULL;
    size_t count = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_create_shape(config, &arch, &shape));
    RSD_TRY_DONE(rsd_parameters_list(arch, &shape, NULL, &p));
    for (size_t i = 0; i < p.count; i++)
        count += rsd_parameter_elements(&p.item[i]);
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *memory, &memory));
    rsd_real *at = memory;
    for (size_t i = 0; i < p.count; i++) {
        p.item[i].x = at;
        at += rsd_parameter_elements(&p.item[i]);
        RSD_TRY_DONE(fill(&p.item[i], seed, shape.layers));
    }
    err = rsd_parameters_write(&p, RSD_F32, path);
done:
    free(memory);
    rsd_parameters_free(&p);
    return err;
}
