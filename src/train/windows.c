#include "train/windows.h"

#include "mat.h"
#include "rng.h"
#include "transformer/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rsd_window_reader_alloc(const rsd_tokens *tokens, size_t context, size_t held_out,
                            uint64_t seed, rsd_window_reader *out)
{
    *out = (rsd_window_reader){
        .tokens = tokens, .context = context, .held_out = held_out, .seed = seed, .epoch = SIZE_MAX
    };
    const size_t windows = context ? rsd_windows(rsd_tokens_count(tokens), context) : 0;
    if (!windows)
        return RSD_FAIL(RSD_EARG, "%zu tokens: 0 windows of %zu tokens", rsd_tokens_count(tokens),
                        context);
    if (held_out >= windows)
        return RSD_FAIL(RSD_EARG, "%zu of %zu windows held out: none is left to train on", held_out,
                        windows);
    out->count = windows - held_out;
    RSD_TRY(rsd_array_alloc(out->count, 1, sizeof *out->order, &out->order));
    return rsd_array_alloc(context + 1, 1, sizeof *out->token, &out->token);
}

void rsd_window_reader_free(rsd_window_reader *r)
{
    free(r->order);
    free(r->token);
    *r = (rsd_window_reader){ 0 };
}

/* The windows of an epoch in the stream's order: all but those held out. */
static void list_windows(rsd_window_reader *r)
{
    const size_t windows = r->count + r->held_out;
    size_t held = 0, kept = 0;
    for (size_t i = 0; i < windows; i++)
        if (held < r->held_out && rsd_window_at(held, r->held_out, windows) == i)
            held++;
        else
            r->order[kept++] = i;
}

/* Fisher and Yates. */
static int shuffle(rsd_window_reader *r, size_t epoch)
{
    char key[48];
    rsd_rng *rng;
    snprintf(key, sizeof key, "epoch %zu", epoch);
    RSD_TRY(rsd_rng_alloc(r->seed, key, &rng));
    list_windows(r);
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
