/* What quantizing takes away: the largest singular values of R = W - W_q.
 *
 *     cc spectrum.c $(pkg-config --cflags --libs residuum) -o spectrum
 *     ./spectrum MODEL TENSOR SPEC */
#include <gsl/gsl_errno.h>
#include <residuum/rsd.h>
#include <stdio.h>

static int print_residual(const char *source, const char *tensor, const char *spec_text)
{
    const rsd_spectrum_opts largest = { .method = RSD_METHOD_AUTO, .top = 8, .tolerance = 1e-6 };
    rsd_model *model = NULL;
    rsd_mat W = { 0 }, R = { 0 };
    rsd_spectrum spectrum = { 0 };
    rsd_quant_stats stats;
    rsd_spec spec;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_spec_parse(spec_text, &spec));
    RSD_TRY_DONE(rsd_model_open(source, &model));
    const rsd_tensor *t = rsd_model_find(model, tensor);
    RSD_TRY_DONE(t ? RSD_OK : RSD_FAIL(RSD_ENOTFOUND, "%s: no tensor '%s'", source, tensor));
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &R));
    RSD_TRY_DONE(rsd_model_read(model, t, W));
    RSD_TRY_DONE(rsd_quantize(&spec, W, NULL, R, &stats, NULL)); /* R holds W_q */
    rsd_mat_sub(W, R, R);
    RSD_TRY_DONE(rsd_spectrum_compute(R, &largest, &spectrum));
    printf("%s: %.3f bits per weight\n", spec.text, stats.bits_per_weight);
    for (size_t k = 0; k < spectrum.count; k++)
        printf("%zu %.6f\n", k + 1, spectrum.s[k]);
done:
    rsd_spectrum_free(&spectrum);
    rsd_mat_free(&R);
    rsd_mat_free(&W);
    rsd_model_close(model);
    return err;
}

int main(int argc, char **argv)
{
    gsl_set_error_handler_off(); /* GSL would end the process where the library reports an error */
    const int err = argc == 4 ? print_residual(argv[1], argv[2], argv[3]) : RSD_EUSAGE;
    if (err)
        fprintf(stderr, "spectrum: %s\n", argc == 4 ? rsd_errmsg() : "MODEL TENSOR SPEC");
    return err != RSD_OK;
}
