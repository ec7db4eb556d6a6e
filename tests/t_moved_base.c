/* What a start says of the base that it keeps is true: W_q is what the quantizer makes of W, or the
 * start says that it may not be. */
#include "init_data.h"
#include "quantizers/quantizer.h"

enum { M = 48, N = 64, RANK = 3 };

/* Is the base of this start the quantizer's? */
static bool keeps_base(const char *start, rsd_mat W, const known *k)
{
    rsd_init_spec init;
    rsd_spec nf2;
    rsd_quant_stats stats;
    rsd_mat Wq, kept, B, A;
    CHECK_OK(rsd_init_parse(start, &init));
    CHECK_OK(rsd_spec_parse("nf2", &nf2));
    CHECK_OK(rsd_mat_alloc(M, N, &Wq));
    CHECK_OK(rsd_mat_alloc(M, N, &kept));
    CHECK_OK(rsd_mat_alloc(M, RANK, &B));
    CHECK_OK(rsd_mat_alloc(RANK, N, &A));
    CHECK_OK(rsd_quantize(&nf2, W, &k->view, Wq, &stats, NULL));
    const rsd_init_task task = {
        .W = W, .quantizer = &nf2, .calibration = &k->view, .rank = RANK, .damping = 1e-3, .seed = 1
    };
    rsd_init_result result = { .Wq = kept, .B = B, .A = A };
    CHECK_OK(rsd_init_start(&init, &task, &result));
    const bool same = memcmp(Wq.x, kept.x, M * N * sizeof *Wq.x) == 0;
    rsd_packed_free(&result.packed);
    rsd_mat_free(&Wq);
    rsd_mat_free(&kept);
    rsd_mat_free(&B);
    rsd_mat_free(&A);
    return same;
}

static bool says_it_moves(const char *start)
{
    rsd_init_spec init;
    CHECK_OK(rsd_init_parse(start, &init));
    return rsd_init_moves_base(&init);
}

/* "May": one that keeps the best of several may keep the first. */
static void every_start_says_whether_it_may_move_the_base(void **state)
{
    (void)state;
    static const char *const more[] = { "loftq:steps=1", "loftq:steps=1,first=svd", "kfac:steps=4",
                                        "caldera:rounds=1", "qpissa:steps=3" };
    static const char *const movers[] = { "loftq",  "loftq:steps=1,first=svd",
                                          "qpissa", "olora",
                                          "lqlora", "corda" };
    rsd_mat W = dense_noise(M, N, 1);
    known k = known_random(300, M, N, 2);
    for (const rsd_init *const *i = rsd_inits; *i; i++)
        assert_true(keeps_base((*i)->name, W, &k) || says_it_moves((*i)->name));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        assert_true(keeps_base(more[i], W, &k) || says_it_moves(more[i]));
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++)
        assert_true(!keeps_base(movers[i], W, &k) && says_it_moves(movers[i]));
    assert_false(says_it_moves("zero") || says_it_moves("lorc") || says_it_moves("kfac") ||
                 says_it_moves("loftq:steps=1") || says_it_moves("caldera:rounds=1"));
    known_free(&k);
    rsd_mat_free(&W);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_start_says_whether_it_may_move_the_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
