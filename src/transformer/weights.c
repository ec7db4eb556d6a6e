#include "transformer/weights.h"

#include "mat.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const roles[RSD_LINEARS] = {
    [RSD_Q] = "q", [RSD_K] = "k",       [RSD_V] = "v",   [RSD_QKV] = "qkv",
    [RSD_O] = "o", [RSD_GATE] = "gate", [RSD_UP] = "up", [RSD_DOWN] = "down",
};

const char *rsd_slot_role(rsd_slot slot) { return roles[slot]; }

/* One number array of a model on its way into memory: where its address goes, and what it is. */
typedef struct {
    const rsd_tensor *tensor;
    size_t rows, cols;        /* cols 0: a vector of rows */
    const rsd_real **address; /* set once memory is there */
} part;

typedef struct {
    const rsd_model *model;
    rsd_weights *w;
    part *part;
    size_t parts, capacity;
    bool frame; /* without the linear layers of the blocks */
} loader;

static int check_shape(const loader *l, const rsd_tensor *t, size_t rows, size_t cols)
{
    const bool vector = cols == 0;
    const bool fits = vector ? t->ndim == 1 && t->shape[0] == rows
                             : t->matrix && t->rows == rows && t->cols == cols;
    if (!fits)
        return RSD_FAIL(RSD_EFORMAT, "%s: tensor '%s' is %zu%s%zu, the configuration says %zu%s%zu",
                        rsd_model_source(l->model), t->name, t->matrix ? t->rows : t->elements,
                        t->matrix ? " x " : ", ", t->matrix ? t->cols : t->ndim, rows,
                        vector ? ", " : " x ", vector ? (size_t)1 : cols);
    return RSD_OK;
}

static int add_part(loader *l, const rsd_tensor *t, size_t rows, size_t cols,
                    const rsd_real **address)
{
    RSD_TRY(check_shape(l, t, rows, cols));
    if (l->parts == l->capacity) {
        l->capacity = 2 * l->capacity + 64;
        part *grown = realloc(l->part, l->capacity * sizeof *grown);
        if (!grown)
            return RSD_FAIL(RSD_ENOMEM, "list of %zu weights", l->capacity);
        l->part = grown;
    }
    l->part[l->parts++] = (part){ t, rows, cols, address };
    return RSD_OK;
}

/* The tensor whose name is `module`.suffix, after any prefix; NULL when there is none. */
static const rsd_tensor *find_module(const rsd_model *model, const char *module, size_t layer,
                                     const char *suffix)
{
    char name[256];
    const char *percent = strchr(module, '%');
    if (percent)
        snprintf(name, sizeof name, "%.*s%zu%s.%s", (int)(percent - module), module, layer,
                 percent + 1, suffix);
    else
        snprintf(name, sizeof name, "%s.%s", module, suffix);
    const size_t n = strlen(name);
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        const size_t k = strlen(t->name);
        if (k >= n && strcmp(t->name + k - n, name) == 0 && (k == n || t->name[k - n - 1] == '.'))
            return t;
    }
    return NULL;
}

static int missing(const loader *l, const char *what, size_t layer)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: no tensor for %s of layer %zu", rsd_model_source(l->model),
                    what, layer);
}

static int add_norm(loader *l, const char *module, size_t layer, rsd_norm *norm)
{
    const rsd_shape *s = &l->w->shape;
    const rsd_tensor *weight = find_module(l->model, module, layer, "weight");
    const rsd_tensor *bias = find_module(l->model, module, layer, "bias");
    if (!weight)
        return missing(l, module, layer);
    norm->C = s->width;
    norm->eps = s->norm_eps;
    RSD_TRY(add_part(l, weight, s->width, 0, &norm->w));
    if (bias && s->norm == RSD_NORM_RMS)
        return RSD_FAIL(RSD_EFORMAT, "%s: RMSNorm '%s' has a bias", rsd_model_source(l->model),
                        bias->name);
    return bias ? add_part(l, bias, s->width, 0, &norm->b) : RSD_OK;
}

/* Outputs and inputs of a linear layer. */
static void shape_of(const rsd_shape *s, rsd_slot slot, size_t *out, size_t *in)
{
    const size_t q = s->heads * s->head_size, kv = s->kv_heads * s->head_size;
    const size_t outs[RSD_LINEARS] = {
        [RSD_Q] = q,        [RSD_K] = kv,           [RSD_V] = kv,         [RSD_QKV] = q + 2 * kv,
        [RSD_O] = s->width, [RSD_GATE] = s->hidden, [RSD_UP] = s->hidden, [RSD_DOWN] = s->width,
    };
    *out = outs[slot];
    *in = slot == RSD_O ? q : slot == RSD_DOWN ? s->hidden : s->width;
}

static bool wanted(const rsd_shape *s, rsd_slot slot)
{
    const bool fused = s->qkv != RSD_QKV_SEPARATE;
    if (slot == RSD_Q || slot == RSD_K || slot == RSD_V)
        return !fused;
    return slot == RSD_QKV ? fused : slot != RSD_GATE || s->gated;
}

/* W of out x in, and the bias that stands beside it. */
static int add_linear(loader *l, const rsd_tensor *t, size_t out, size_t in, rsd_linear *linear)
{
    linear->W = rsd_dense(NULL, out, in);
    if (l->frame && t->role.linear)
        RSD_TRY(check_shape(l, t, out, in));
    else
        RSD_TRY(add_part(l, t, out, in, &linear->W.x));
    const size_t stem = strlen(t->name) - strlen(".weight");
    char name[512];
    snprintf(name, sizeof name, "%.*s.bias", (int)stem, t->name);
    const rsd_tensor *bias = rsd_model_find(l->model, name);
    return bias ? add_part(l, bias, out, 0, &linear->bias) : RSD_OK;
}

static int add_linears(loader *l)
{
    const rsd_shape *s = &l->w->shape;
    for (size_t i = 0; i < rsd_model_count(l->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(l->model, i);
        rsd_slot slot = 0;
        while (slot < RSD_LINEARS && strcmp(roles[slot], t->role.role) != 0)
            slot++;
        if (!t->role.linear || slot == RSD_LINEARS)
            continue;
        if (t->role.layer < 0 || (size_t)t->role.layer >= s->layers || !wanted(s, slot))
            return RSD_FAIL(RSD_EFORMAT, "%s: tensor '%s' has no place in %zu layers of a %s",
                            rsd_model_source(l->model), t->name, s->layers, l->w->arch->name);
        rsd_block_weights *b = &l->w->block[t->role.layer];
        size_t out, in;
        if (b->tensor[slot])
            return RSD_FAIL(RSD_EFORMAT, "%s: tensors '%s' and '%s' are the same layer",
                            rsd_model_source(l->model), b->tensor[slot]->name, t->name);
        b->tensor[slot] = t;
        shape_of(s, slot, &out, &in);
        RSD_TRY(add_linear(l, t, out, in, &b->linear[slot]));
    }
    for (size_t layer = 0; layer < s->layers; layer++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (wanted(s, slot) && !l->w->block[layer].tensor[slot])
                return missing(l, roles[slot], layer);
    return RSD_OK;
}

static const rsd_tensor *find_role(const rsd_model *model, const char *role)
{
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (t->role.embedding && strcmp(t->role.role, role) == 0)
            return t;
    }
    return NULL;
}

static int add_tables(loader *l)
{
    rsd_weights *w = l->w;
    const rsd_shape *s = &w->shape;
    const rsd_tensor *tokens = find_role(l->model, "embedding");
    const rsd_tensor *positions = find_role(l->model, "position");
    const rsd_tensor *head = find_role(l->model, "head");
    if (!tokens || (s->positions && !positions) || (!s->tied && !head))
        return RSD_FAIL(RSD_EFORMAT, "%s: no tensor for the %s", rsd_model_source(l->model),
                        !tokens                      ? "token table"
                        : s->positions && !positions ? "position table"
                                                     : "head");
    w->embedding = (rsd_embedding){ .V = s->vocab, .C = s->width };
    w->head.W = rsd_dense(NULL, s->vocab, s->width);
    RSD_TRY(add_part(l, tokens, s->vocab, s->width, &w->embedding.E));
    if (s->positions) {
        w->embedding.positions = s->context;
        RSD_TRY(add_part(l, positions, s->context, s->width, &w->embedding.P));
    }
    if (s->tied)
        return RSD_OK;
    return add_linear(l, head, s->vocab, s->width, &w->head);
}

/* Every address, once there is memory; then the numbers. */
static int read_part(const loader *l, const part *p, rsd_real *x)
{
    int err = RSD_OK;
    float *read = NULL;
    rsd_mat W = { .m = p->rows, .n = p->cols ? p->cols : 1, .ld = p->cols ? p->cols : 1 };
    if (sizeof(rsd_real) == sizeof(float))
        W.x = (float *)(void *)x;
    else {
        RSD_TRY(rsd_array_alloc(W.m, W.n, sizeof *read, &read));
        W.x = read;
    }
    RSD_TRY_DONE(p->cols ? rsd_model_read(l->model, p->tensor, W)
                         : rsd_model_read_flat(l->model, p->tensor, W.x));
    RSD_TRY_DONE(rsd_mat_check_finite(W));
    for (size_t i = 0; read && i < W.m * W.n; i++)
        x[i] = (rsd_real)read[i];
done:
    free(read);
    return err ? rsd_fail_prefix(err, "%s", p->tensor->name) : RSD_OK;
}

static int read_all(loader *l)
{
    size_t count = 0;
    for (size_t i = 0; i < l->parts; i++)
        count += (l->part[i].tensor->elements + 15) / 16 * 16; /* every array aligned to 64 bytes */
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *l->w->memory, &l->w->memory));
    memset(l->w->memory, 0, count * sizeof *l->w->memory);
    l->w->count = count;
    rsd_real *at = l->w->memory;
    for (size_t i = 0; i < l->parts; i++) {
        *l->part[i].address = at;
        RSD_TRY(read_part(l, &l->part[i], at));
        at += (l->part[i].tensor->elements + 15) / 16 * 16;
    }
    if (l->w->shape.tied)
        l->w->head.W.x = l->w->embedding.E;
    return RSD_OK;
}

static int load(const rsd_model *model, bool frame, rsd_weights **out)
{
    rsd_weights *w = calloc(1, sizeof *w);
    loader l = { .model = model, .w = w, .frame = frame };
    int err = RSD_OK;
    *out = w;
    if (!w)
        return RSD_FAIL(RSD_ENOMEM, "weights of %s", rsd_model_source(model));
    RSD_TRY_DONE(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model),
                                    &w->arch, &w->shape));
    w->block = calloc(w->shape.layers, sizeof *w->block);
    if (!w->block) {
        err = RSD_FAIL(RSD_ENOMEM, "%zu layers", w->shape.layers);
        goto done;
    }
    RSD_TRY_DONE(add_tables(&l));
    for (size_t i = 0; i < w->shape.layers; i++) {
        RSD_TRY_DONE(add_norm(&l, w->arch->norm1, i, &w->block[i].norm1));
        RSD_TRY_DONE(add_norm(&l, w->arch->norm2, i, &w->block[i].norm2));
    }
    RSD_TRY_DONE(add_norm(&l, w->arch->final_norm, 0, &w->final_norm));
    RSD_TRY_DONE(add_linears(&l));
    err = read_all(&l);
done:
    free(l.part);
    if (err) {
        rsd_weights_free(w);
        *out = NULL;
        return rsd_fail_prefix(err, "%s", rsd_model_name(model));
    }
    return RSD_OK;
}

int rsd_weights_load(const rsd_model *model, rsd_weights **out) { return load(model, false, out); }

int rsd_weights_load_frame(const rsd_model *model, rsd_weights **out)
{
    return load(model, true, out);
}

static void free_halves(rsd_weights *w)
{
    for (size_t i = 0; i < w->halves; i++)
        free(w->half[i]);
    free(w->half);
    w->half = NULL;
    w->halves = 0;
}

void rsd_weights_free(rsd_weights *w)
{
    if (!w)
        return;
    free_halves(w);
    free(w->memory);
    free(w->block);
    free(w);
}

/* An address in one block of memory, as the same address in another. */
static void move(const rsd_real **x, const rsd_weights *from, const rsd_weights *to)
{
    if (*x)
        *x = to->memory + (*x - from->memory);
}

static void move_linear(rsd_linear *l, const rsd_weights *from, const rsd_weights *to)
{
    move(&l->W.x, from, to);
    move(&l->bias, from, to);
    l->W.half = NULL;
}

static void move_norm(rsd_norm *n, const rsd_weights *from, const rsd_weights *to)
{
    move(&n->w, from, to);
    move(&n->b, from, to);
}

int rsd_weights_copy(const rsd_weights *w, rsd_weights **out)
{
    rsd_weights *c = malloc(sizeof *c);
    *out = c;
    if (!c)
        return RSD_FAIL(RSD_ENOMEM, "a copy of the weights");
    *c = *w;
    c->half = NULL;
    c->halves = 0;
    c->memory = NULL;
    c->block = malloc(w->shape.layers * sizeof *c->block);
    int err = c->block ? rsd_array_alloc(w->count, 1, sizeof *c->memory, &c->memory)
                       : RSD_FAIL(RSD_ENOMEM, "%zu layers", w->shape.layers);
    if (err) {
        rsd_weights_free(c);
        *out = NULL;
        return err;
    }
    memcpy(c->memory, w->memory, w->count * sizeof *c->memory);
    move(&c->embedding.E, w, c);
    move(&c->embedding.P, w, c);
    move_norm(&c->final_norm, w, c);
    move_linear(&c->head, w, c);
    for (size_t i = 0; i < w->shape.layers; i++) {
        c->block[i] = w->block[i];
        move_norm(&c->block[i].norm1, w, c);
        move_norm(&c->block[i].norm2, w, c);
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            move_linear(&c->block[i].linear[s], w, c);
    }
    return RSD_OK;
}

static int prepare(rsd_weights *w, const rsd_matmul *mm, rsd_linear *l)
{
    if (!l->W.x)
        return RSD_OK;
    rsd_half *half;
    RSD_TRY(rsd_matmul_prepare(mm, &l->W, &half));
    if (half)
        w->half[w->halves++] = half;
    return RSD_OK;
}

int rsd_weights_prepare(rsd_weights *w, const rsd_matmul *mm)
{
    if (rsd_matmul_precision(mm) != RSD_PRECISION_BF16)
        return RSD_OK; /* copies that another pass over these weights made stay its own */
    free_halves(w);
    RSD_TRY(rsd_array_alloc(w->shape.layers * RSD_LINEARS + 1, 1, sizeof *w->half, &w->half));
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            RSD_TRY(prepare(w, mm, &w->block[i].linear[s]));
    return prepare(w, mm, &w->head);
}

rsd_real *rsd_weights_of(const rsd_weights *w, const rsd_tensor *tensor)
{
    const rsd_real *x = NULL;
    for (size_t i = 0; i < w->shape.layers && !x; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (w->block[i].tensor[s] == tensor)
                x = w->block[i].linear[s].W.x;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "embedding") == 0)
        x = w->embedding.E;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "head") == 0)
        x = w->head.W.x;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "position") == 0)
        x = w->embedding.P;
    return x ? w->memory + (x - w->memory) : NULL;
}
