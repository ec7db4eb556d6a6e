/* AdaLoRA's budget: the penalty against its formula and central differences, the schedule by hand,
 * choices among triplets whose importance is known, and that what is kept is the budget exactly. */
#include "test.h"

#include "adapters/adalora.h"
#include "par.h"

#include <float.h>

/* Two layers: up is 5 x 7 in both, down 7 x 5 in the first alone. */
enum { LAYERS = 2, M = 5, N = 7, RANK = 4, TRIPLETS = 3 * RANK };

static rsd_block_weights block[LAYERS];
static rsd_weights weights = { .shape = { .layers = LAYERS }, .block = block };

typedef struct {
    rsd_adapters adapters, grad;
} pair;

static pair make(rsd_variant v)
{
    pair p;
    rsd_adapter_plan plan[LAYERS][RSD_LINEARS] = { 0 };
    for (size_t i = 0; i < LAYERS; i++) {
        block[i].linear[RSD_UP].W = rsd_dense(NULL, M, N);
        block[i].linear[RSD_DOWN].W = rsd_dense(NULL, N, M);
        plan[i][RSD_UP] = (rsd_adapter_plan){ .rank = RANK, .pool = 1, .scale = 2 };
    }
    plan[0][RSD_DOWN] = plan[0][RSD_UP];
    CHECK_OK(
        rsd_adapters_alloc(&weights, v, (const rsd_adapter_plan(*)[RSD_LINEARS])plan, &p.adapters));
    CHECK_OK(rsd_adapters_like(&p.adapters, &p.grad));
    return p;
}

static void drop(pair *p)
{
    rsd_adapters_free(&p->adapters);
    rsd_adapters_free(&p->grad);
}

static const rsd_adalora_options usual = {
    .target = 2,
    .steps = 100,
    .begin = 10,
    .end = 20,
    .interval = 1,
    .beta1 = 0.85,
    .beta2 = 0.85,
    .penalty = 0.5,
};

static void starts_are_normal(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA), q = make(RSD_ADALORA);
    const rsd_adapter *a = &p.adapters.layer[0][RSD_UP];
    double squares = 0;
    a->lambda[0] = 3;
    CHECK_OK(rsd_adalora_start(&p.adapters, 4));
    for (size_t i = 0; i < RANK; i++)
        assert_true(a->lambda[i] == 0);
    for (size_t i = 0; i < p.adapters.count; i++)
        squares += (double)p.adapters.memory[i] * (double)p.adapters.memory[i];
    const double n = 3 * RANK * (M + N); /* six standard errors of a variance */
    CHECK_CLOSE(squares / n / 4e-4, 1, 6 * sqrt(2 / n));
    assert_memory_not_equal(a->A, p.adapters.layer[1][RSD_UP].A, RANK * N * sizeof *a->A);
    CHECK_OK(rsd_adalora_start(&q.adapters, 4));
    assert_memory_equal(p.adapters.memory, q.adapters.memory, q.adapters.count * sizeof(float));
    CHECK_OK(rsd_adalora_start(&q.adapters, 5));
    assert_memory_not_equal(p.adapters.memory, q.adapters.memory, q.adapters.count * sizeof(float));
    drop(&p);
    drop(&q);
}

/* ---- the penalty ---- */

/* .5 mean ||P'P - I||_F by its definition, in double. */
static double penalty_by_hand(const rsd_adapters *a)
{
    double sum = 0;
    for (size_t i = 0; i < LAYERS; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_adapter *l = &a->layer[i][s];
            for (int side = 0; side < 2 && l->rank; side++) {
                double squares = 0;
                for (size_t j = 0; j < RANK; j++)
                    for (size_t k = 0; k < RANK; k++) {
                        double dot = j == k ? -1 : 0;
                        for (size_t c = 0; c < (side ? l->m : l->n); c++)
                            dot += side ? (double)l->B[c * RANK + j] * (double)l->B[c * RANK + k]
                                        : (double)l->A[j * l->n + c] * (double)l->A[k * l->n + c];
                        squares += dot * dot;
                    }
                sum += sqrt(squares);
            }
        }
    return 0.5 * sum / 6;
}

static void penalty_and_gradient(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA);
    rsd_adalora *a;
    double value;
    CHECK_OK(rsd_adalora_start(&p.adapters, 1));
    for (size_t i = 0; i < p.adapters.count; i++) /* of the size at which all terms matter */
        p.adapters.memory[i] *= 20;
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &usual, &a));
    for (size_t i = 0; i < p.grad.count; i++)
        p.grad.memory[i] = 100;
    CHECK_OK(rsd_adalora_penalty(a, &value));
    CHECK_CLOSE(value, penalty_by_hand(&p.adapters), 1e-6 * value);
    for (size_t i = 0; i < p.adapters.count; i++) {
        float *x = &p.adapters.memory[i];
        const float at = *x, up = at + 1e-3f, down = at - 1e-3f; /* what is really added */
        if (at == 0) {                                           /* padding and lambda */
            assert_true(p.grad.memory[i] == 100);
            continue;
        }
        *x = up;
        double slope = penalty_by_hand(&p.adapters);
        *x = down;
        slope = (slope - penalty_by_hand(&p.adapters)) / ((double)up - (double)down);
        *x = at;
        /* the gradient was added to 100 in float; the formula's third derivative is of order 1 */
        CHECK_CLOSE(p.grad.memory[i] - 100, slope, 2 * 100 * FLT_EPSILON + 1e-5);
    }
    rsd_adalora_free(a);
    drop(&p);
}

/* Orthonormal factors cost nothing and are left alone; so is everything at weight 0. */
static void penalty_of_orthonormal(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA);
    rsd_adalora *a;
    rsd_adalora_options o = usual;
    double value = 1;
    for (size_t i = 0; i < LAYERS; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            rsd_adapter *l = &p.adapters.layer[i][s];
            for (size_t k = 0; k < l->rank; k++)
                l->A[k * l->n + k] = l->B[k * l->rank + k] = 1;
        }
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &usual, &a));
    CHECK_OK(rsd_adalora_penalty(a, &value));
    assert_true(value == 0);
    for (size_t i = 0; i < p.grad.count; i++)
        assert_true(p.grad.memory[i] == 0);
    rsd_adalora_free(a);
    o.penalty = 0;
    p.adapters.memory[0] = 9;
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a));
    CHECK_OK(rsd_adalora_penalty(a, &value));
    assert_true(value == 0 && p.grad.memory[0] == 0);
    rsd_adalora_free(a);
    drop(&p);
}

/* ---- the budget ---- */

static void budget_values(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA);
    rsd_adalora *a;
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &usual, &a));
    assert_int_equal(rsd_adalora_budget(a, 1), 12);
    assert_int_equal(rsd_adalora_budget(a, 10), 12);
    assert_int_equal(rsd_adalora_budget(a, 11), 11); /* 6 + 6 (69/70)^3 = 11.74 */
    assert_int_equal(rsd_adalora_budget(a, 45), 6);  /* 6 + 6/8 */
    assert_int_equal(rsd_adalora_budget(a, 24), 9);  /* 6 + 6 (4/5)^3 = 9.07 */
    for (size_t t = 80; t < 120; t++)
        assert_int_equal(rsd_adalora_budget(a, t), 6);
    for (size_t t = 1; t < 100; t++)
        assert_true(rsd_adalora_budget(a, t + 1) <= rsd_adalora_budget(a, t));
    rsd_adalora_free(a);
    drop(&p);
}

/* Numbers of all triplets so that triplet k of all has the importance importance[k], from lambda
 * alone: after one step with beta 0, I = |w g|, U = 0 and nothing is important; so beta is 1/2, and
 * I = |w g| / 2, U = |w g| / 4. */
static void set_lambda(pair *p, const double importance[TRIPLETS])
{
    size_t place = 0;
    for (size_t i = 0; i < LAYERS; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            for (size_t k = 0; k < p->adapters.layer[i][s].rank; k++, place++) {
                p->adapters.layer[i][s].lambda[k] = 1;
                p->grad.layer[i][s].lambda[k] = (float)-sqrt(8 * importance[place]);
            }
}

static void the_most_important_stay(void **state)
{
    (void)state;
    static const double importance[TRIPLETS] = { 3, 1, 7, 7, 2, 0, 7, 9, 7, 7, 0.5, 8 };
    static const bool want[TRIPLETS] = { 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1 }; /* ties in order */
    pair p = make(RSD_ADALORA);
    rsd_adalora *a;
    rsd_adalora_options o = usual;
    size_t triplets, place = 0;
    o.begin = o.end = 0;
    o.beta1 = o.beta2 = 0.5;
    o.steps = 2;
    set_lambda(&p, importance);
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a));
    rsd_adalora_step(a, 1, 1); /* sees, and keeps 6 + 6/8 */
    const unsigned char *kept = rsd_adalora_kept(a, &triplets);
    assert_int_equal(triplets, TRIPLETS);
    for (size_t i = 0; i < LAYERS; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            for (size_t k = 0; k < p.adapters.layer[i][s].rank; k++, place++) {
                assert_int_equal(kept[place], want[place]);
                assert_true(p.adapters.layer[i][s].lambda[k] == (want[place] ? 1 : 0));
            }
    assert_int_equal(rsd_adalora_rank(a, 0, RSD_UP), 2);
    assert_int_equal(rsd_adalora_rank(a, 0, RSD_DOWN), 2);
    assert_int_equal(rsd_adalora_rank(a, 1, RSD_UP), 2);
    assert_int_equal(rsd_adalora_rank(a, 1, RSD_DOWN), 0);
    assert_int_equal(rsd_adalora_rank_sum(a), 6);
    rsd_adalora_free(a);
    drop(&p);
}

/* Sensitivities of P and Q count by their means, lambda's by itself; the gradient is scaled. */
static void importance_by_hand(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA);
    rsd_adalora *a;
    rsd_adalora_options o = usual;
    o.begin = o.end = 0;
    o.steps = 3;
    const rsd_adapter *l = &p.adapters.layer[1][RSD_UP], *d = &p.grad.layer[1][RSD_UP];
    CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a));
    l->A[2 * N + 3] = 2;
    d->A[2 * N + 3] = -3;
    rsd_adalora_step(a, 1, 0.5);
    const float *I = rsd_adalora_sensitivity(a), *U = I + p.adapters.count;
    const size_t at = (size_t)(l->A + 2 * N + 3 - p.adapters.memory);
    CHECK_CLOSE(I[at], 0.15 * 3, 1e-6);
    CHECK_CLOSE(U[at], 0.15 * (3 - 0.45), 1e-6);
    d->A[2 * N + 3] = 1;
    rsd_adalora_step(a, 2, 0.5);
    CHECK_CLOSE(I[at], 0.85 * 0.45 + 0.15, 1e-6);
    CHECK_CLOSE(U[at], 0.85 * 0.3825 + 0.15 * fabs(1 - 0.5325), 1e-6);
    rsd_adalora_free(a);

    /* one number of Q, of P and lambda: 7, 5 and 1 times smaller */
    p.grad.memory[at] = 0;
    o.beta1 = o.beta2 = 0.5;
    o.target = 1;
    o.steps = 2; /* budget 3 + 9/8 after the first step */
    for (size_t k = 0; k < 3; k++) {
        const rsd_adapter *x[3] = { &p.adapters.layer[0][RSD_UP], &p.adapters.layer[0][RSD_DOWN],
                                    &p.adapters.layer[1][RSD_UP] };
        const rsd_adapter *g[3] = { &p.grad.layer[0][RSD_UP], &p.grad.layer[0][RSD_DOWN],
                                    &p.grad.layer[1][RSD_UP] };
        for (size_t j = 0; j < 3; j++)
            memset(x[j]->lambda, 0, RANK * sizeof(float));
        x[0]->A[0] = x[1]->lambda[1] = x[2]->B[2] = 1;
        g[0]->A[0] = (float)sqrt(7 * (k == 0 ? 1.1 : 1)); /* mean over 7 */
        g[1]->lambda[1] = (float)sqrt(k == 1 ? 1.1 : 1);
        g[2]->B[2] = (float)sqrt(5 * (k == 2 ? 1.1 : 1)); /* mean over 5 */
        x[0]->lambda[3] = x[1]->lambda[3] = x[2]->lambda[3] = 1;
        g[0]->lambda[3] = g[1]->lambda[3] = g[2]->lambda[3] = (float)sqrt(1.05);
        CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a));
        rsd_adalora_step(a, 1, 1); /* 4 are kept: the three of 1.05 and the one of 1.1 */
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(rsd_adalora_rank(a, j == 2, j == 1 ? RSD_DOWN : RSD_UP), 1 + (j == k));
        rsd_adalora_free(a);
    }
    drop(&p);
}

/* A whole training with noise: after every choice the kept ranks are the budget; between choices
 * nothing is set to 0; after the last the choice stands. */
static void kept_ranks_are_the_budget(void **state)
{
    (void)state;
    static const size_t intervals[] = { 1, 7 };
    for (size_t j = 0; j < 2; j++) {
        pair p = make(RSD_ADALORA);
        rsd_adalora *a;
        rsd_adalora_options o = usual;
        unsigned char last[TRIPLETS];
        size_t triplets;
        o.interval = intervals[j];
        CHECK_OK(rsd_adalora_start(&p.adapters, 3));
        CHECK_OK(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a));
        const unsigned char *kept = rsd_adalora_kept(a, &triplets);
        for (size_t t = 1; t <= o.steps; t++) {
            for (size_t i = 0; i < p.grad.count; i++) {
                p.grad.memory[i] = (float)sin(2.385 * (double)(i * 131 + t * t));
                p.adapters.memory[i] += 0.01f * p.grad.memory[i]; /* brings lambda back */
            }
            rsd_adalora_step(a, t, 1);
            const bool due = (t > o.begin && t % o.interval == 0 && t < 80) || t >= 80;
            size_t zeros = 0;
            for (size_t i = 0; i < LAYERS; i++)
                for (rsd_slot s = 0; s < RSD_LINEARS; s++)
                    for (size_t k = 0; k < p.adapters.layer[i][s].rank; k++)
                        zeros += p.adapters.layer[i][s].lambda[k] == 0;
            assert_int_equal(zeros, due ? TRIPLETS - rsd_adalora_budget(a, t) : 0);
            if (due)
                assert_int_equal(rsd_adalora_rank_sum(a), rsd_adalora_budget(a, t));
            if (t == 80)
                memcpy(last, kept, sizeof last);
        }
        assert_int_equal(rsd_adalora_rank_sum(a), 6);
        assert_memory_equal(last, kept, sizeof last);
        rsd_adalora_free(a);
        drop(&p);
    }
}

static void refusals(void **state)
{
    (void)state;
    pair p = make(RSD_ADALORA), lora = make(RSD_LORA);
    rsd_adalora *a;
    rsd_adalora_options o = usual;
    CHECK_FAILS(rsd_adalora_start(&lora.adapters, 1), RSD_EARG, "lora adapters");
    CHECK_FAILS(rsd_adalora_alloc(&lora.adapters, &lora.grad, &o, &a), RSD_EARG, "lora");
    assert_null(a);
    o.target = 0;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "target rank 0");
    o.target = 5;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "begin with 12");
    o = usual;
    o.interval = 0;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "100 steps");
    o = usual;
    o.begin = 80;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "80 before");
    o.begin = 100;
    o.end = 0;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "100 before");
    o = usual;
    o.beta1 = 1;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "beta 1");
    o = usual;
    o.beta2 = NAN;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "nan");
    o = usual;
    o.penalty = -1;
    CHECK_FAILS(rsd_adalora_alloc(&p.adapters, &p.grad, &o, &a), RSD_EARG, "penalty -1");
    rsd_adapter_plan none[LAYERS][RSD_LINEARS] = { 0 };
    rsd_adapters empty;
    CHECK_OK(rsd_adapters_alloc(&weights, RSD_ADALORA, (const rsd_adapter_plan(*)[RSD_LINEARS])none,
                                &empty));
    CHECK_FAILS(rsd_adalora_alloc(&empty, &empty, &usual, &a), RSD_EARG, "0 layers");
    rsd_adapters_free(&empty);
    rsd_adalora_free(NULL);
    drop(&p);
    drop(&lora);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_are_normal),         cmocka_unit_test(penalty_and_gradient),
        cmocka_unit_test(penalty_of_orthonormal),    cmocka_unit_test(budget_values),
        cmocka_unit_test(the_most_important_stay),   cmocka_unit_test(importance_by_hand),
        cmocka_unit_test(kept_ranks_are_the_budget), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
