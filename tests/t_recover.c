/* The recovery loop: losses, gradients and choices of PyTorch with PEFT, every objective's gradient
 * by differences, the update by hand, accumulation over passes, trainings that go on bit for bit,
 * and moments in a mapped file. */
#include "adapters/peft_folder.h"
#include "io/safetensors.h"
#include "par.h"
#include "rng.h"
#include "scratch.h"
#include "train/recover.h"

#include <float.h>

enum { T = 8 };

/* ---- a model with adapters, and all that trains them ---- */

typedef struct {
    rsd_model *model;
    rsd_weights *w;
    rsd_adapters adapters, grad;
    rsd_transformer *t, *teacher;
    rsd_adapted *adapted;
    rsd_tokens *tokens;
    rsd_recover *r;
} setting;

static void open_model(setting *s, const char *name)
{
    char path[128];
    *s = (setting){ 0 };
    snprintf(path, sizeof path, "transformers/%s", name);
    CHECK_OK(rsd_model_open(fixture(path), &s->model));
    CHECK_OK(rsd_weights_load(s->model, &s->w));
    CHECK_OK(rsd_tokens_open(fixture("peft/tokens.u16"), NULL, &s->tokens));
}

/* s->adapters are there; teacher: the model without them. */
static void connect(setting *s, size_t rows, bool teacher)
{
    CHECK_OK(rsd_adapters_like(&s->adapters, &s->grad));
    CHECK_OK(rsd_transformer_alloc(s->w, RSD_PRECISION_F32, RSD_KEEP_ALL, rows, &s->t));
    if (teacher)
        CHECK_OK(
            rsd_transformer_alloc(s->w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, rows, &s->teacher));
    CHECK_OK(rsd_adapted_alloc(
        &(rsd_adapted_options){
            .weights = s->w, .adapters = &s->adapters, .grad = &s->grad, .rows = rows },
        rsd_transformer_mm(s->t), &s->adapted));
    CHECK_OK(rsd_transformer_hook(s->t, rsd_adapted_hook(s->adapted)));
}

static int begin(setting *s, const rsd_recover_options *o)
{
    return rsd_recover_alloc(s->t, s->adapted, &s->adapters, &s->grad, s->teacher, s->tokens, o,
                             &s->r);
}

static void end(setting *s)
{
    rsd_recover_free(s->r);
    rsd_adapted_free(s->adapted);
    rsd_transformer_free(s->t);
    rsd_transformer_free(s->teacher);
    rsd_adapters_free(&s->adapters);
    rsd_adapters_free(&s->grad);
    rsd_tokens_close(s->tokens);
    rsd_weights_free(s->w);
    rsd_model_close(s->model);
}

/* Adapters of rank 2 on every layer, numbers normal times `size`. */
static void random_adapters(setting *s, rsd_variant v, double size)
{
    rsd_adapter_plan(*plan)[RSD_LINEARS];
    rsd_rng *rng;
    CHECK_OK(rsd_array_alloc(s->w->shape.layers, 1, sizeof *plan, &plan));
    for (size_t i = 0; i < s->w->shape.layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++)
            plan[i][k] = (rsd_adapter_plan){ .rank = s->w->block[i].linear[k].W.rows ? 2 : 0,
                                             .pool = v == RSD_QALORA ? 4 : 1,
                                             .scale = 2 };
    CHECK_OK(
        rsd_adapters_alloc(s->w, v, (const rsd_adapter_plan(*)[RSD_LINEARS])plan, &s->adapters));
    free(plan);
    CHECK_OK(rsd_rng_alloc(1, rsd_variant_name(v), &rng));
    for (size_t i = 0; i < s->adapters.layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            const rsd_adapter *a = &s->adapters.layer[i][k];
            for (size_t j = 0; j < a->rank * (a->n / (a->rank ? a->pool : 1)); j++)
                a->A[j] = (float)(size * rsd_rng_normal(rng));
            for (size_t j = 0; j < a->m * a->rank; j++)
                a->B[j] = (float)(size * rsd_rng_normal(rng));
            for (size_t j = 0; j < a->rank && a->lambda; j++)
                a->lambda[j] = (float)rsd_rng_normal(rng);
            for (size_t j = 0; j < a->m && a->magnitude; j++)
                a->magnitude[j] = 1 + (float)(0.1 * rsd_rng_normal(rng));
        }
    rsd_rng_free(rng);
}

static const rsd_recover_options usual = {
    .context = T,
    .batch = 4,
    .pass = 4,
    .schedule = { .steps = 50, .warmup = 5, .peak = 5e-3, .floor = 5e-4 },
    .adamw = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .decay = 0.01,
    .clip = 0.5,
    .b_ratio = 1,
    .seed = 7,
    .adalora = { .target = 1,
                 .begin = 5,
                 .end = 8,
                 .interval = 2,
                 .beta1 = 0.85,
                 .beta2 = 0.85,
                 .penalty = 0.5 },
};

/* ---- PyTorch with PEFT (golden/make_peft.py) ---- */

typedef struct {
    rsd_map map;
    rsd_safetensors st;
} reference;

static reference open_reference(const char *folder)
{
    reference r;
    char path[4200];
    snprintf(path, sizeof path, "%s/reference.safetensors", folder);
    CHECK_OK(rsd_map_open(path, &r.map));
    CHECK_OK(rsd_safetensors_parse(r.map.data, r.map.size, &r.st));
    return r;
}

static const double *doubles(const reference *r, const char *name, size_t count)
{
    for (size_t i = 0; i < r->st.count; i++)
        if (strcmp(r->st.entry[i].name, name) == 0) {
            assert_int_equal(r->st.entry[i].bytes, count * sizeof(double));
            return (const double *)(const void *)(r->map.data + r->st.entry[i].offset);
        }
    fail_msg("no %s", name);
    return NULL;
}

/* The array that "PREFIX.MODULE.A" is of: .B, .magnitude, .E (lambda). */
static rsd_real *array_of(const rsd_weights *w, const rsd_adapters *a, const char *name,
                          size_t *count)
{
    char module[128];
    const char *first = strchr(name, '.') + 1, *last = strrchr(name, '.');
    snprintf(module, sizeof module, "%.*s.weight", (int)(last - first), first);
    const rsd_role role = rsd_role_of(w->arch->name, module);
    for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
        if (strcmp(rsd_slot_role(s), role.role) != 0)
            continue;
        const rsd_adapter *l = &a->layer[role.layer][s];
        *count = last[1] == 'A'   ? l->rank * l->n
                 : last[1] == 'B' ? l->m * l->rank
                 : last[1] == 'E' ? l->rank
                                  : l->m;
        return last[1] == 'A'   ? l->A
               : last[1] == 'B' ? l->B
               : last[1] == 'E' ? l->lambda
                                : l->magnitude;
    }
    fail_msg("%s: no such layer", name);
    return NULL;
}

/* Every gradient of the first step, each matrix by its norm. */
static void check_gradients(const reference *ref, const setting *s)
{
    size_t arrays = 0;
    for (size_t i = 0; i < ref->st.count; i++) {
        const rsd_st_entry *e = &ref->st.entry[i];
        size_t n;
        if (strncmp(e->name, "grad.", 5) != 0)
            continue;
        const float *got = array_of(s->w, &s->grad, e->name, &n);
        const float *want = (const float *)(const void *)(ref->map.data + e->offset);
        double differ = 0, norm = 0;
        assert_int_equal(e->bytes, n * sizeof(float));
        for (size_t k = 0; k < n; k++) {
            differ += pow((double)got[k] - (double)want[k], 2);
            norm += pow((double)want[k], 2);
        }
        if (!(sqrt(differ) <= 1e-4 * sqrt(norm) + 1e-9))
            fail_msg("%s: differs by %g of %g", e->name, sqrt(differ), sqrt(norm));
        arrays++;
    }
    assert_true(arrays >= 16);
}

/* PEFT's adapter that is no LoRA: its numbers lie in the reference. */
static void adalora_start(setting *s, const reference *ref)
{
    rsd_adapter_plan(*plan)[RSD_LINEARS];
    CHECK_OK(rsd_array_alloc(s->w->shape.layers, 1, sizeof *plan, &plan));
    for (size_t i = 0; i < s->w->shape.layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++)
            plan[i][k] = (rsd_adapter_plan){ .rank = s->w->block[i].linear[k].W.rows ? 4 : 0,
                                             .pool = 1,
                                             .scale = (float)(6 / (4 + 1e-5)) };
    CHECK_OK(rsd_adapters_alloc(s->w, RSD_ADALORA, (const rsd_adapter_plan(*)[RSD_LINEARS])plan,
                                &s->adapters));
    free(plan);
    for (size_t i = 0; i < ref->st.count; i++) {
        const rsd_st_entry *e = &ref->st.entry[i];
        size_t n;
        if (strncmp(e->name, "start.", 6) != 0)
            continue;
        rsd_real *x = array_of(s->w, &s->adapters, e->name, &n);
        assert_int_equal(e->bytes, n * sizeof(float));
        memcpy(x, ref->map.data + e->offset, e->bytes);
    }
}

/* Which triplets are left, by lambda and by rsd_recover_rank. */
static void check_choice(const reference *ref, const setting *s)
{
    size_t sum = 0, layers = 0;
    for (size_t i = 0; i < ref->st.count; i++) {
        const rsd_st_entry *e = &ref->st.entry[i];
        char name[160];
        size_t n, kept = 0;
        if (strncmp(e->name, "kept.", 5) != 0)
            continue;
        snprintf(name, sizeof name, "%s.E", e->name);
        const float *lambda = array_of(s->w, &s->adapters, name, &n);
        assert_int_equal(n, e->bytes);
        for (size_t k = 0; k < n; k++) {
            if ((lambda[k] != 0) != ref->map.data[e->offset + k])
                fail_msg("%s[%zu] is %g", e->name, k, (double)lambda[k]);
            kept += lambda[k] != 0;
        }
        sum += kept;
        layers++;
    }
    size_t ranks = 0;
    for (size_t i = 0; i < s->adapters.layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++)
            ranks += rsd_recover_rank(s->r, i, k);
    assert_int_equal(sum, 2 * layers);
    assert_int_equal(ranks, sum);
}

static void trains_as_peft(void **state)
{
    (void)state;
    static const struct {
        const char *model, *folder;
        double b_ratio;
    } cases[] = {
        { "llama", "peft/llama-lora", 1 },          { "llama", "peft/llama-dora", 1 },
        { "llama", "peft/llama-rslora", 1 },        { "llama", "peft/llama-loraplus", 4 },
        { "llama", "peft/llama-patterns", 1 },      { "llama", "peft/llama-adalora", 1 },
        { "gpt_neox", "peft/gpt_neox-lora", 1 },    { "gpt_neox", "peft/gpt_neox-dora", 1 },
        { "gpt_neox", "peft/gpt_neox-adalora", 1 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const bool adalora = strstr(cases[c].folder, "adalora") != NULL;
        reference ref = open_reference(fixture(cases[c].folder));
        rsd_recover_options o = usual;
        rsd_step step;
        setting s;
        open_model(&s, cases[c].model);
        if (adalora)
            adalora_start(&s, &ref);
        else
            CHECK_OK(rsd_peft_read(fixture(cases[c].folder), s.w, &s.adapters));
        o.pass = 3; /* of 4: two passes a step */
        o.b_ratio = cases[c].b_ratio;
        o.adalora.target = 2;
        connect(&s, o.pass * T, false);
        CHECK_OK(begin(&s, &o));
        const double *losses = doubles(&ref, "losses", o.schedule.steps);
        const double *norms = doubles(&ref, "norms", o.schedule.steps);
        for (size_t i = 0; i < o.schedule.steps; i++) {
            CHECK_OK(rsd_recover_step(s.r, &step));
            if (!(fabs(step.loss - losses[i]) <= 1e-4 * losses[i]) ||
                !(fabs(step.norm - norms[i]) <= 5e-3 * norms[i]))
                fail_msg("%s, step %zu: loss %.8g and norm %.8g, want %.8g and %.8g",
                         cases[c].folder, i + 1, step.loss, step.norm, losses[i], norms[i]);
            if (i == 0)
                check_gradients(&ref, &s);
        }
        assert_int_equal(rsd_recover_steps(s.r), o.schedule.steps);
        if (adalora)
            check_choice(&ref, &s);
        rsd_safetensors_free(&ref.st);
        rsd_map_close(&ref.map);
        end(&s);
    }
}

/* ---- objectives ---- */

/* The slope of the objective along the gradient, by differences, is the gradient's norm. */
static void gradients_are_slopes(void **state)
{
    (void)state;
    for (int objective = RSD_OBJECTIVE_CE; objective <= RSD_OBJECTIVE_HIDDEN; objective++)
        for (int v = RSD_LORA; v < RSD_VARIANTS; v++) {
            double loss[2], norm = 0;
            float *g = NULL;
            const double h = 2e-3;
            if (v == RSD_DORA)
                continue; /* its norms are not differentiated: no gradient of the loss */
            for (int side = -1; side < 2; side++) {
                setting s;
                rsd_step step;
                rsd_recover_options o = usual;
                open_model(&s, "gpt_neox");
                random_adapters(&s, (rsd_variant)v, 0.3);
                o.objective = (rsd_objective)objective;
                o.pass = 3;
                o.adalora.penalty = 0; /* no part of the loss */
                connect(&s, 3 * T, true);
                if (side < 0) { /* first the gradient alone, then both sides */
                    CHECK_OK(rsd_array_alloc(s.grad.count, 1, sizeof *g, &g));
                    CHECK_OK(begin(&s, &o));
                    CHECK_OK(rsd_recover_step(s.r, &step));
                    memcpy(g, s.grad.memory, s.grad.count * sizeof *g);
                    norm = step.norm;
                    end(&s);
                    continue;
                }
                for (size_t i = 0; i < s.adapters.count; i++)
                    s.adapters.memory[i] += (float)((side ? h : -h) / norm * (double)g[i]);
                CHECK_OK(begin(&s, &o));
                CHECK_OK(rsd_recover_step(s.r, &step));
                loss[side] = step.loss;
                end(&s);
            }
            free(g);
            const double slope = (loss[1] - loss[0]) / (2 * h);
            if (!(fabs(slope - norm) <= 1e-3 * norm))
                fail_msg("objective %d, %s: slope %g, norm %g", objective,
                         rsd_variant_name((rsd_variant)v), slope, norm);
        }
}

/* Against itself the original loses nothing and teaches nothing; a disturbed adapter comes back. */
static void the_original_teaches(void **state)
{
    (void)state;
    for (int objective = RSD_OBJECTIVE_KL; objective <= RSD_OBJECTIVE_HIDDEN; objective++)
        for (int disturbed = 0; disturbed < 2; disturbed++) {
            setting s;
            rsd_step first, step = { 0 };
            rsd_recover_options o = usual;
            open_model(&s, "llama");
            random_adapters(&s, RSD_LORA, 0.3 * disturbed);
            o.objective = (rsd_objective)objective;
            connect(&s, 4 * T, true);
            CHECK_OK(begin(&s, &o));
            CHECK_OK(rsd_recover_step(s.r, &first));
            if (!disturbed) {
                CHECK_CLOSE(first.loss, 0, 1e-6); /* loss.h: rounding leaves as much of a KL */
                assert_true(first.norm < 1e-6);
            }
            for (size_t i = 1; i < 50 && disturbed; i++)
                CHECK_OK(rsd_recover_step(s.r, &step));
            if (disturbed && !(step.loss < 0.7 * first.loss))
                fail_msg("objective %d: loss %g after %g", objective, step.loss, first.loss);
            end(&s);
        }
}

/* ---- the update ---- */

/* One array after its first step: m' = d, sqrt(v') = |d|, d the clipped gradient. */
static void check_update(const rsd_real *before, const rsd_real *after, const rsd_real *g, size_t n,
                         double rate, double decay, double clip)
{
    for (size_t i = 0; i < n; i++) {
        const double d = clip * (double)g[i], kept = (double)before[i] * (1 - rate * decay);
        CHECK_CLOSE(after[i], kept - rate * d / (fabs(d) + 1e-8),
                    4 * FLT_EPSILON * (fabs(kept) + rate));
    }
}

static void first_step_by_hand(void **state)
{
    (void)state;
    static const rsd_variant variants[] = { RSD_DORA, RSD_ADALORA, RSD_QALORA };
    for (size_t k = 0; k < 3; k++) {
        setting s;
        rsd_step step;
        rsd_recover_options o = usual;
        rsd_real *before;
        open_model(&s, "gpt_neox");
        random_adapters(&s, variants[k], 0.3);
        o.clip = 0.01;
        o.decay = 0.5;
        o.b_ratio = 3;
        connect(&s, 4 * T, false);
        CHECK_OK(rsd_array_alloc(s.adapters.count, 1, sizeof *before, &before));
        memcpy(before, s.adapters.memory, s.adapters.count * sizeof *before);
        CHECK_OK(begin(&s, &o));
        CHECK_OK(rsd_recover_step(s.r, &step));
        assert_true(step.rate == 1e-3 && step.norm > 0.1);
        for (size_t i = 0; i < s.adapters.layers; i++)
            for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
                const rsd_adapter *a = &s.adapters.layer[i][slot];
                const rsd_real *x[] = { a->A, a->B, a->lambda, a->magnitude };
                const size_t n[] = { a->rank ? a->rank * (a->n / a->pool) : 0, a->m * a->rank,
                                     a->rank, a->m };
                for (size_t j = 0; j < 4; j++) {
                    if (!x[j])
                        continue;
                    const size_t at = (size_t)(x[j] - s.adapters.memory);
                    check_update(before + at, x[j], s.grad.memory + at, n[j], j == 1 ? 3e-3 : 1e-3,
                                 j < 2 ? 0.5 : 0, 0.01 / step.norm);
                }
            }
        free(before);
        end(&s);
    }
}

/* The same step in one pass or in three of 2, 2 and 1. */
static void passes_add_up(void **state)
{
    (void)state;
    for (int objective = RSD_OBJECTIVE_CE; objective <= RSD_OBJECTIVE_HIDDEN; objective++) {
        rsd_step step[2];
        rsd_real *g[2];
        size_t count = 0;
        for (size_t k = 0; k < 2; k++) {
            setting s;
            rsd_recover_options o = usual;
            open_model(&s, "llama");
            random_adapters(&s, RSD_LORA, 0.3);
            o.objective = (rsd_objective)objective;
            o.batch = 5;
            o.pass = k ? 2 : 50;
            connect(&s, 5 * T, true);
            CHECK_OK(begin(&s, &o));
            CHECK_OK(rsd_recover_step(s.r, &step[k]));
            count = s.grad.count;
            CHECK_OK(rsd_array_alloc(count, 1, sizeof *g[k], &g[k]));
            memcpy(g[k], s.grad.memory, count * sizeof *g[k]);
            end(&s);
        }
        CHECK_CLOSE(step[0].loss, step[1].loss, 1e-6 * step[0].loss);
        for (size_t i = 0; i < count; i++) /* sums over 40 rows, in other parts */
            CHECK_CLOSE(g[0][i], g[1][i], 40 * FLT_EPSILON * step[0].norm);
        free(g[0]);
        free(g[1]);
    }
}

/* ---- going on ---- */

static const char identity[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* Steps [from, to), through a file where from is not 0; then adapters. */
static rsd_real *run_part(const rsd_recover_options *o, rsd_variant v, size_t from, size_t to,
                          size_t *count)
{
    setting s;
    rsd_step step;
    rsd_real *out;
    open_model(&s, "llama");
    random_adapters(&s, v, 0.3);
    connect(&s, 2 * T, o->objective != RSD_OBJECTIVE_CE);
    if (from) /* whatever is there is overwritten */
        for (size_t i = 0; i < s.adapters.count; i++)
            s.adapters.memory[i] = 0;
    CHECK_OK(begin(&s, o));
    if (from)
        CHECK_OK(rsd_recover_read(s.r, identity, in_scratch("state")));
    assert_int_equal(rsd_recover_steps(s.r), from);
    while (rsd_recover_steps(s.r) < to)
        CHECK_OK(rsd_recover_step(s.r, &step));
    CHECK_OK(rsd_recover_write(s.r, identity, in_scratch("state")));
    *count = s.adapters.count;
    CHECK_OK(rsd_array_alloc(*count, 1, sizeof *out, &out));
    memcpy(out, s.adapters.memory, *count * sizeof *out);
    end(&s);
    return out;
}

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    for (int v = RSD_LORA; v < RSD_VARIANTS; v++)
        for (int objective = RSD_OBJECTIVE_CE; objective <= RSD_OBJECTIVE_HIDDEN; objective++) {
            rsd_recover_options o = usual;
            size_t n, stops[] = { 9, 19, 27 }; /* before, within and after AdaLoRA's choices */
            o.objective = (rsd_objective)objective;
            o.batch = 3;
            o.pass = 2;
            o.schedule.steps = 30;
            o.adalora.begin = 12;
            o.adalora.end = 6;
            rsd_real *whole = run_part(&o, (rsd_variant)v, 0, 30, &n);
            for (size_t k = 0; k < (objective ? 1 : 3); k++) {
                rsd_real *part = run_part(&o, (rsd_variant)v, 0, stops[k], &n);
                assert_memory_not_equal(whole, part, n * sizeof *whole);
                free(part);
                part = run_part(&o, (rsd_variant)v, stops[k], 30, &n);
                assert_memory_equal(whole, part, n * sizeof *whole);
                free(part);
            }
            free(whole);
        }
}

/* The moments' place changes no bit, and the file's name is gone while it is used. */
static void mapped_moments(void **state)
{
    (void)state;
    rsd_recover_options o = usual;
    size_t n;
    o.pass = 2;
    rsd_real *memory = run_part(&o, RSD_LORA, 0, 12, &n);
    o.state_path = in_scratch("moments");
    rsd_real *mapped = run_part(&o, RSD_LORA, 0, 5, &n);
    assert_false(in_scratch_exists("moments"));
    free(mapped);
    mapped = run_part(&o, RSD_LORA, 5, 12, &n);
    assert_memory_equal(memory, mapped, n * sizeof *memory);
    free(memory);
    free(mapped);

    rsd_adamw a;
    put_text("taken", "x");
    CHECK_FAILS(rsd_adamw_alloc_mapped(3, &o.adamw, in_scratch("taken"), &a), RSD_EIO, "taken");
    rsd_adamw_free(&a);
    assert_true(in_scratch_exists("taken"));
    CHECK_FAILS(rsd_adamw_alloc_mapped(3, &o.adamw, in_scratch("no/where"), &a), RSD_EIO, "where");
    rsd_adamw_free(&a);
    CHECK_FAILS(rsd_adamw_alloc_mapped(SIZE_MAX / 32, &o.adamw, in_scratch("large"), &a), RSD_EIO,
                "for the optimizer");
    rsd_adamw_free(&a);
    assert_false(in_scratch_exists("large"));
    CHECK_FAILS(rsd_adamw_alloc_mapped(SIZE_MAX / 8, &o.adamw, in_scratch("larger"), &a),
                RSD_ENOMEM, "address space");
    rsd_adamw_free(&a);
    const rsd_adamw_options bad = { 1, 0.9, 0 };
    CHECK_FAILS(rsd_adamw_alloc_mapped(3, &bad, in_scratch("bad"), &a), RSD_EARG, "beta");
    rsd_adamw_free(&a);
    CHECK_OK(rsd_adamw_alloc_mapped(1000, &o.adamw, in_scratch("new"), &a));
    assert_false(in_scratch_exists("new"));
    for (size_t i = 0; i < 2000; i++)
        assert_true(a.moments[i] == 0);
    rsd_adamw_free(&a);
}

static void refused(setting *s, const rsd_recover_options *o, int code, const char *text)
{
    CHECK_FAILS(begin(s, o), code, text);
    assert_null(s->r);
}

/* ---- the step to end with ---- */

/* The least finite loss counts, the first of equal ones; its adapters come back, bit for bit, in
 * the process that saw them and in one that goes on. */
static void the_best_step_comes_back(void **state)
{
    (void)state;
    const double losses[] = { NAN, 3, 2, 2, INFINITY, 2.5 }, none[] = { NAN, INFINITY };
    for (int restarted = 0; restarted < 2; restarted++) {
        setting s;
        rsd_step step;
        rsd_real *second;
        size_t best;
        double loss;
        open_model(&s, "llama");
        random_adapters(&s, RSD_DORA, 0.3);
        connect(&s, 4 * T, false);
        CHECK_OK(begin(&s, &usual));
        CHECK_OK(rsd_array_alloc(s.adapters.count, 1, sizeof *second, &second));
        for (size_t k = 0; k < 2; k++)
            CHECK_OK(rsd_recover_judge(s.r, none[k]));
        assert_false(rsd_recover_best(s.r, &best, &loss));
        assert_true(best == 0 && isnan(loss));
        for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
            CHECK_OK(rsd_recover_judge(s.r, losses[k]));
            if (k == 2)
                memcpy(second, s.adapters.memory, s.adapters.count * sizeof *second);
            if (restarted) {
                CHECK_OK(rsd_recover_write(s.r, identity, in_scratch("best")));
                rsd_recover_free(s.r);
                CHECK_OK(begin(&s, &usual));
                CHECK_OK(rsd_recover_read(s.r, identity, in_scratch("best")));
            }
            CHECK_OK(rsd_recover_step(s.r, &step));
        }
        assert_true(rsd_recover_best(s.r, &best, &loss) && best == 2 && loss == 2);
        assert_memory_not_equal(second, s.adapters.memory, s.adapters.count * sizeof *second);
        CHECK_OK(rsd_recover_take_best(s.r));
        assert_memory_equal(second, s.adapters.memory, s.adapters.count * sizeof *second);
        free(second);
        end(&s);
    }
}

/* A best step that is none, or has no adapters. */
static void best_steps_are_checked(void **state)
{
    (void)state;
    const double progress[][3] = { { 0, 1, 2 }, { 0, 0, 2 }, { 0, -1, 2 } };
    const char *const says[] = { "best step 1 of 0", "no tensor 'best'", "best step -1" };
    setting s;
    rsd_map map;
    rsd_safetensors st;
    open_model(&s, "llama");
    random_adapters(&s, RSD_LORA, 0.3);
    connect(&s, 4 * T, false);
    CHECK_OK(begin(&s, &usual));
    CHECK_OK(rsd_recover_write(s.r, identity, in_scratch("unjudged")));
    CHECK_OK(rsd_map_open(in_scratch("unjudged"), &map));
    CHECK_OK(rsd_safetensors_parse(map.data, map.size, &st));
    for (size_t k = 0; k < 3; k++) {
        uint8_t *copy = malloc(map.size);
        memcpy(copy, map.data, map.size);
        for (size_t i = 0; i < st.count; i++)
            if (strcmp(st.entry[i].name, "progress") == 0)
                memcpy(copy + st.entry[i].offset, progress[k], sizeof progress[k]);
        put_file("broken", copy, map.size);
        free(copy);
        CHECK_FAILS(rsd_recover_read(s.r, identity, in_scratch("broken")), RSD_EFORMAT, says[k]);
    }
    rsd_safetensors_free(&st);
    rsd_map_close(&map);
    end(&s);
}

/* Windows that are held out are not of an epoch. */
static void held_out_windows(void **state)
{
    (void)state;
    setting s;
    rsd_recover_options o = usual;
    open_model(&s, "llama");
    random_adapters(&s, RSD_LORA, 0.3);
    connect(&s, 4 * T, false);
    o.held_out = 7;
    CHECK_OK(begin(&s, &o));
    assert_int_equal(rsd_recover_windows(s.r), 53);
    rsd_recover_free(s.r);
    o.held_out = 60;
    refused(&s, &o, RSD_EARG, "60 of 60 windows held out");
    end(&s);
}

static void states_are_checked(void **state)
{
    (void)state;
    setting s, q;
    char other[65];
    open_model(&s, "llama");
    random_adapters(&s, RSD_ADALORA, 0.3);
    connect(&s, 4 * T, false);
    CHECK_OK(begin(&s, &usual));
    CHECK_OK(rsd_recover_write(s.r, identity, in_scratch("s")));
    CHECK_OK(rsd_recover_read(s.r, identity, in_scratch("s")));
    CHECK_FAILS(rsd_recover_write(s.r, identity, in_scratch("no/s")), RSD_EIO, "no/s");
    CHECK_FAILS(rsd_recover_read(s.r, identity, in_scratch("none")), RSD_EIO, "none");
    memcpy(other, identity, sizeof other);
    other[63] = 'x';
    CHECK_FAILS(rsd_recover_read(s.r, other, in_scratch("s")), RSD_EARG, "another");
    put_text("text", "no safetensors");
    CHECK_FAILS(rsd_recover_read(s.r, identity, in_scratch("text")), RSD_EFORMAT, "text");
    CHECK_FAILS(rsd_recover_read(s.r, identity, fixture("transformers/llama/model.safetensors")),
                RSD_EFORMAT, "no tensor 'identity'");

    open_model(&q, "gpt_neox"); /* other adapters: of another size, of another variant */
    random_adapters(&q, RSD_ADALORA, 0.3);
    connect(&q, 4 * T, false);
    CHECK_OK(begin(&q, &usual));
    CHECK_FAILS(rsd_recover_read(q.r, identity, in_scratch("s")), RSD_EFORMAT, "'adapters'");
    end(&q);
    open_model(&q, "llama");
    random_adapters(&q, RSD_LORA, 0.3);
    connect(&q, 4 * T, false);
    CHECK_OK(begin(&q, &usual));
    CHECK_OK(rsd_recover_write(q.r, identity, in_scratch("lora")));
    CHECK_FAILS(rsd_recover_read(s.r, identity, in_scratch("lora")), RSD_EFORMAT, "adapters");
    end(&q);

    /* numbers that no training writes: of steps, and of what is kept */
    rsd_map map;
    rsd_safetensors st;
    CHECK_OK(rsd_map_open(in_scratch("s"), &map));
    CHECK_OK(rsd_safetensors_parse(map.data, map.size, &st));
    for (size_t i = 0; i < st.count; i++) {
        const bool steps = strcmp(st.entry[i].name, "progress") == 0;
        if (!steps && strcmp(st.entry[i].name, "kept") != 0)
            continue;
        uint8_t *copy = malloc(map.size);
        memcpy(copy, map.data, map.size);
        if (steps)
            memcpy(copy + st.entry[i].offset, &(double){ -1 }, sizeof(double));
        else
            copy[st.entry[i].offset] = 2;
        put_file("broken", copy, map.size);
        free(copy);
        CHECK_FAILS(rsd_recover_read(s.r, identity, in_scratch("broken")), RSD_EFORMAT,
                    steps ? "-1 steps" : "kept[0] is 2");
    }
    rsd_safetensors_free(&st);
    rsd_map_close(&map);
    end(&s);
}

/* ---- refusals ---- */

static void trainings_refuse(void **state)
{
    (void)state;
    setting s;
    rsd_recover_options o = usual;
    open_model(&s, "llama");
    random_adapters(&s, RSD_LORA, 0.3);
    connect(&s, 4 * T, false);
    o.batch = 0;
    refused(&s, &o, RSD_EARG, "0 windows a step");
    o = usual;
    o.pass = 0;
    refused(&s, &o, RSD_EARG, "0 a pass");
    o = usual;
    o.context = 481;
    refused(&s, &o, RSD_EARG, "0 windows of 481");
    o.context = 0;
    refused(&s, &o, RSD_EARG, "0 windows");
    o = usual;
    o.b_ratio = -1;
    refused(&s, &o, RSD_EARG, "rates -1");
    o = usual;
    o.decay = NAN;
    refused(&s, &o, RSD_EARG, "decay nan");
    o = usual;
    o.clip = -2;
    refused(&s, &o, RSD_EARG, "clip -2");
    o = usual;
    o.adamw.beta1 = 2;
    refused(&s, &o, RSD_EARG, "beta 2");
    o = usual;
    o.objective = RSD_OBJECTIVE_KL;
    refused(&s, &o, RSD_EARG, "no original");
    o = usual;
    o.state_path = in_scratch("no/moments");
    refused(&s, &o, RSD_EIO, "no/moments");

    setting wide; /* another model as the original; its gradients */
    open_model(&wide, "gpt_neox");
    random_adapters(&wide, RSD_LORA, 0.3);
    connect(&wide, 4 * T, true);
    o = usual;
    o.objective = RSD_OBJECTIVE_HIDDEN;
    CHECK_FAILS(
        rsd_recover_alloc(s.t, s.adapted, &s.adapters, &s.grad, wide.teacher, s.tokens, &o, &s.r),
        RSD_EARG, "the original's head is 19 x 16");
    CHECK_FAILS(
        rsd_recover_alloc(s.t, s.adapted, &s.adapters, &wide.grad, NULL, s.tokens, &usual, &s.r),
        RSD_EARG, "gradients of");
    end(&wide);

    rsd_step step; /* more tokens a pass than the model has memory for */
    o = usual;
    o.batch = o.pass = 5;
    CHECK_OK(begin(&s, &o));
    CHECK_FAILS(rsd_recover_step(s.r, &step), RSD_EARG, "5 windows of 8");
    end(&s);

    open_model(&s, "llama");
    random_adapters(&s, RSD_ADALORA, 0.3);
    connect(&s, 4 * T, false);
    o = usual;
    o.adalora.target = 3;
    refused(&s, &o, RSD_EARG, "target rank 3");
    end(&s);
    rsd_recover_free(NULL);
}

/* A number that is none ends the step, and nothing has changed. */
static void not_finite(void **state)
{
    (void)state;
    for (int objective = RSD_OBJECTIVE_CE; objective <= RSD_OBJECTIVE_HIDDEN; objective++) {
        setting s;
        rsd_step step;
        rsd_recover_options o = usual;
        rsd_real *before;
        open_model(&s, "llama");
        random_adapters(&s, RSD_LORA, 0.3);
        connect(&s, 4 * T, true);
        o.objective = (rsd_objective)objective;
        CHECK_OK(begin(&s, &o));
        CHECK_OK(rsd_recover_step(s.r, &step));
        s.adapters.layer[1][RSD_DOWN].B[1] = INFINITY;
        CHECK_OK(rsd_array_alloc(s.adapters.count, 1, sizeof *before, &before));
        memcpy(before, s.adapters.memory, s.adapters.count * sizeof *before);
        CHECK_FAILS(rsd_recover_step(s.r, &step), RSD_EDOM, "loss");
        assert_memory_equal(before, s.adapters.memory, s.adapters.count * sizeof *before);
        assert_int_equal(rsd_recover_steps(s.r), 1);
        free(before);
        end(&s);
    }
}

static void queries(void **state)
{
    (void)state;
    setting s;
    open_model(&s, "llama");
    random_adapters(&s, RSD_LORA, 0.3);
    connect(&s, 4 * T, false);
    CHECK_OK(begin(&s, &usual));
    assert_int_equal(rsd_recover_windows(s.r), 60);
    assert_int_equal(rsd_recover_steps(s.r), 0);
    assert_int_equal(rsd_recover_bytes(s.r), 2 * s.adapters.count * sizeof(rsd_real));
    assert_int_equal(rsd_recover_rank(s.r, 1, RSD_UP), 2);
    assert_int_equal(rsd_recover_rank(s.r, 1, RSD_QKV), 0);
    end(&s);
    open_model(&s, "llama");
    random_adapters(&s, RSD_ADALORA, 0.3);
    connect(&s, 4 * T, false);
    CHECK_OK(begin(&s, &usual));
    assert_int_equal(rsd_recover_bytes(s.r), 4 * s.adapters.count * sizeof(rsd_real));
    assert_int_equal(rsd_recover_rank(s.r, 1, RSD_UP), 2); /* before the first choice */
    end(&s);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_as_peft),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(the_original_teaches),
        cmocka_unit_test(first_step_by_hand),
        cmocka_unit_test(passes_add_up),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(mapped_moments),
        cmocka_unit_test(the_best_step_comes_back),
        cmocka_unit_test(best_steps_are_checked),
        cmocka_unit_test(held_out_windows),
        cmocka_unit_test(states_are_checked),
        cmocka_unit_test(trainings_refuse),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
