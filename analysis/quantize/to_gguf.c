/* A plan of every tensor first, since the directory comes before the data; then one at a time. */
#include "quantize/to_gguf.h"

#include "cli/console.h"
#include "fp.h"
#include "io/gguf_vocabulary.h"
#include "mat.h"
#include "quantize/gguf_metadata.h"
#include "quantize/gguf_plan.h"
#include "quantize/gguf_types.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- data ---- */

/* In pieces: the bytes need no second array of the matrix' size. */
static int put_half(rsd_gguf_writer *w, const gguf_item *it, const rsd_fp *format, rsd_mat W)
{
    enum { PIECE = 4096 };
    uint16_t code[PIECE];
    const size_t n = W.m * W.n;
    for (size_t i = 0; i < n; i++)
        if (fabsf(W.x[i]) > format->max)
            return RSD_FAIL(RSD_EDOM,
                            "%s: %g is beyond %s; give it a type with --embeddings --map "
                            "'%s=bf16'",
                            it->tensor->name, (double)W.x[i], it->type->name, it->tensor->name);
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t piece = n - i < PIECE ? n - i : PIECE;
        rsd_fp_encode_array(format, W.x + i, code, piece, true);
        RSD_TRY(rsd_gguf_data(w, code, piece * sizeof *code));
    }
    return RSD_OK;
}

static int put_plain(rsd_gguf_writer *w, const gguf_item *it, rsd_mat W)
{
    RSD_TRY(rsd_mat_check_finite(W));
    if (strcmp(it->type->name, "f16") == 0)
        return put_half(w, it, &rsd_fp16, W);
    if (strcmp(it->type->name, "bf16") == 0)
        return put_half(w, it, &rsd_bf16, W);
    return rsd_gguf_data(w, W.x, W.m * W.n * sizeof *W.x);
}

/* W's rows are in the file's order: what is known of outputs is not. */
static int put_quantized(const gguf_plan *p, rsd_gguf_writer *w, const gguf_item *it, rsd_mat W)
{
    rsd_mat Wq;
    rsd_quant_stats stats;
    rsd_packed packed = { 0 };
    layer_calibration k = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(W.m, W.n, &Wq));
    RSD_TRY_DONE(calibration_read(p->job->calibration, it->tensor, &k));
    k.c.G = NULL;
    RSD_TRY_DONE(rsd_quantize(&it->spec, W, k.any ? &k.c : NULL, Wq, &stats, &packed));
    assert(packed.sections == 1); /* asked by gguf_type_of */
    RSD_TRY_DONE(rsd_gguf_data(w, packed.section[0].data, packed.section[0].bytes));
    RSD_TRY_DONE(
        p->job->report(p->job->context, it->tensor, &it->spec, &stats, sqrt(rsd_mat_sumsq(W))));
    console_progress_step(it->tensor->name, 1);
done:
    layer_calibration_free(&k);
    rsd_packed_free(&packed);
    rsd_mat_free(&Wq);
    return err;
}

static int put_item(const gguf_plan *p, rsd_gguf_writer *w, const gguf_item *it)
{
    rsd_mat W;
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(it->rows, it->cols, &W));
    if (!it->tensor)
        memcpy(W.x, p->rope_factors, it->rows * sizeof *W.x);
    else if (it->tensor->matrix)
        err = rsd_model_read(p->model, it->tensor, W);
    else
        err = rsd_model_read_flat(p->model, it->tensor, W.x);
    if (!err)
        err = rsd_gguf_order_rows(it->place.order, p->shape.head_size, W);
    if (!err)
        err = it->wanted ? put_quantized(p, w, it, W) : put_plain(w, it, W);
    rsd_mat_free(&W);
    return err ? rsd_fail_prefix(err, "%s", it->place.name) : RSD_OK;
}

/* ---- the file ---- */

static int put_header(const gguf_plan *p, rsd_gguf_writer *w)
{
    char note[RSD_GGUF_NOTE_MAX];
    RSD_TRY(gguf_put_shape(w, p->architecture, rsd_model_name(p->model),
                           gguf_file_type(gguf_plan_main_type(p)), &p->shape));
    RSD_TRY(rsd_gguf_put_vocabulary(w, rsd_model_source(p->model), rsd_model_config(p->model),
                                    p->shape.vocab, note));
    for (size_t i = 0; i < p->count; i++) {
        const gguf_item *it = &p->item[i];
        const bool matrix = it->tensor && it->tensor->matrix;
        RSD_TRY(rsd_gguf_declare(w, it->place.name, it->type, matrix ? 2 : 1,
                                 (const size_t[]){ it->rows, it->cols }));
    }
    if (note[0])
        console_note("%s", note);
    gguf_plan_note_fallbacks(p);
    return RSD_OK;
}

int quantize_to_gguf(const quantize_job *job, const rsd_model *model)
{
    gguf_plan p;
    rsd_gguf_writer *w = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(gguf_plan_make(job, model, &p));
    RSD_TRY_DONE(rsd_gguf_writer_alloc(&w));
    RSD_TRY_DONE(put_header(&p, w));
    RSD_TRY_DONE(rsd_gguf_begin(w, job->output));
    console_progress_begin("matrix", p.taken, (double)p.taken);
    for (size_t i = 0; i < p.count; i++)
        RSD_TRY_DONE(put_item(&p, w, &p.item[i]));
    console_progress_end();
    err = rsd_gguf_commit(w);
done:
    rsd_gguf_writer_free(w);
    gguf_plan_free(&p);
    return err;
}
