#include "train/windows.h"

#include "mat.h"
#include "rng.h"
#include "transformer/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rsd_window_reader_alloc(const rsd_tokens *tokens, size_t context, uint64_t seed,
                            rsd_window_reader *out)
{
    *out = (rsd_window_reader){
        .tokens = tokens, .context = context, .seed = seed, .epoch = SIZE_MAX
    };
    out->count = context ? rsd_windows(rsd_tokens_count(tokens), context) : 0;
    if (!out->count)
        return RSD_FAIL(RSD_EARG, "%zu tokens: 0 windows of %zu tokens", rsd_tokens_count(tokens),
                        context);
    RSD_TRY(rsd_array_alloc(out->count, 1, sizeof *out->order, &out->order));
    return rsd_array_alloc(context + 1, 1, sizeof *out->token, &out->token);
}

void rsd_window_reader_free(rsd_window_reader *r)
{
    free(r->order);
    free(r->token);
    *r = (rsd_window_reader){ 0 };
}

/* Fisher and Yates. */
static int shuffle(rsd_window_reader *r, size_t epoch)
{
    char key[48];
    rsd_rng *rng;
    snprintf(key, sizeof key, "epoch %zu", epoch);
    RSD_TRY(rsd_rng_alloc(r->seed, key, &rng));
    for (size_t i = 0; i < r->count; i++)
        r->order[i] = i;
    for (size_t i = r->count; i > 1; i--) {
        const size_t j = (size_t)(rsd_rng_uniform(rng) * (double)i), other = r->order[j];
        r->order[j] = r->order[i - 1];
        r->order[i - 1] = other;
    }
    rsd_rng_free(rng);
    r->epoch = epoch;
    return RSD_OK;
}

int rsd_window_reader_read(rsd_window_reader *r, size_t first, size_t count, int32_t *input,
                           int32_t *target)
{
    const size_t T = r->context;
    for (size_t k = 0; k < count; k++) {
        const size_t epoch = (first + k) / r->count;
        if (epoch != r->epoch)
            RSD_TRY(shuffle(r, epoch));
        const size_t window = r->order[(first + k) % r->count];
        RSD_TRY(rsd_tokens_read(r->tokens, window * T, T + 1, r->token));
        memcpy(input + k * T, r->token, T * sizeof *r->token);
        memcpy(target + k * T, r->token + 1, T * sizeof *r->token);
    }
    return RSD_OK;
}
