#include "transformer/rotary.h"

#include "alloc.h"
#include "mat.h"
#include "par.h"
#include "transformer/vector.h"

#include <assert.h>
#include <stdlib.h>

struct rsd_rotary {
    size_t pairs, context;
    rsd_real *cosine, *sine; /* context x pairs */
};

static int check(const rsd_rotary_spec *s)
{
    if (s->dims % 2)
        return RSD_FAIL(RSD_EARG, "rotary: %zu channels are not pairs", s->dims);
    if (!(s->theta > 1) || isinf(s->theta))
        return RSD_FAIL(RSD_EARG, "rotary: theta %g is not above 1", s->theta);
    if (s->scaling != RSD_ROPE_PLAIN && (!(s->factor > 0) || isinf(s->factor)))
        return RSD_FAIL(RSD_EARG, "rotary: scaling factor %g is not positive", s->factor);
    if (s->scaling == RSD_ROPE_LLAMA3 &&
        !(0 < s->low_freq && s->low_freq < s->high_freq && s->original > 0))
        return RSD_FAIL(RSD_EARG,
                        "rotary: llama3 scaling with low_freq %g, high_freq %g, original %g",
                        s->low_freq, s->high_freq, s->original);
    return RSD_OK;
}

static double frequency(const rsd_rotary_spec *s, size_t pair)
{
    const double f = (float)pow(s->theta, -2.0 * (double)pair / (double)s->dims);
    if (s->scaling == RSD_ROPE_PLAIN)
        return f;
    if (s->scaling == RSD_ROPE_LINEAR)
        return f / s->factor;
    const double turns = s->original * f / (2 * M_PI); /* within the original context */
    if (turns > s->high_freq)
        return f;
    if (turns < s->low_freq)
        return f / s->factor;
    const double share = (turns - s->low_freq) / (s->high_freq - s->low_freq);
    return (1 - share) * f / s->factor + share * f;
}

int rsd_rotary_alloc(const rsd_rotary_spec *spec, rsd_rotary **out)
{
    int err = RSD_OK;
    *out = NULL;
    RSD_TRY(check(spec));
    rsd_rotary *r;
    RSD_TRY(rsd_zeroed(1, sizeof *r, &r));
    r->pairs = spec->dims / 2;
    r->context = spec->context;
    RSD_TRY_DONE(rsd_array_alloc(r->context, r->pairs, sizeof *r->cosine, &r->cosine));
    RSD_TRY_DONE(rsd_array_alloc(r->context, r->pairs, sizeof *r->sine, &r->sine));
    for (size_t i = 0; i < r->pairs; i++) {
        const float f = (float)frequency(spec, i);
        for (size_t t = 0; t < r->context; t++) {
            const float angle = (float)t * f;
            r->cosine[t * r->pairs + i] = (rsd_real)cos((double)angle);
            r->sine[t * r->pairs + i] = (rsd_real)sin((double)angle);
        }
    }
    *out = r;
    return RSD_OK;
done:
    rsd_rotary_free(r);
    return err;
}

void rsd_rotary_free(rsd_rotary *r)
{
    if (!r)
        return;
    free(r->cosine);
    free(r->sine);
    free(r);
}

RSD_WIDEST static void turn(rsd_real *restrict a, rsd_real *restrict b,
                            const rsd_real *restrict cosine, const rsd_real *restrict sine,
                            rsd_real sign, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++) {
        const rsd_real s = sign * sine[i], a0 = a[i];
        a[i] = a0 * cosine[i] - b[i] * s;
        b[i] = b[i] * cosine[i] + a0 * s;
    }
}

static void turn_all(const rsd_rotary *r, rsd_heads x, size_t B, size_t T, size_t H, size_t start,
                     rsd_real sign)
{
    const size_t pairs = r->pairs;
    assert(start <= r->context && T <= r->context - start);
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t m = 0; m < B * T; m++) {
        const size_t at = (start + m % T) * pairs;
        for (size_t h = 0; h < H; h++) {
            rsd_real *a = x.x + m * x.row + h * x.head;
            turn(a, a + pairs, r->cosine + at, r->sine + at, sign, pairs);
        }
    }
}

void rsd_rotary_forward(const rsd_rotary *r, rsd_heads x, size_t B, size_t T, size_t H,
                        size_t start)
{
    turn_all(r, x, B, T, H, start, 1);
}

void rsd_rotary_backward(const rsd_rotary *r, rsd_heads dx, size_t B, size_t T, size_t H,
                         size_t start)
{
    turn_all(r, dx, B, T, H, start, -1);
}
