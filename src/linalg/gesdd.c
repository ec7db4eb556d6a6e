/* LAPACKE's row-major interface transposes copies; a row-major A is a column-major A' as it stands,
 * with the same values and the two sides exchanged. */
#include "linalg/gesdd.h"

#include "linalg/apply.h"

#include <assert.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A' = right diag(s) left', column-major n x m. */
typedef struct {
    lapack_int m, n, d;
    double *a, *s;
    double *right, *left; /* n x d and d x m, or NULL */
} problem;

/* dgesdd, or dgesvd; *info as LAPACK's. */
static int run(const problem *p, bool divide, lapack_int *info)
{
    int err = RSD_OK;
    const char job = p->right ? 'S' : 'N';
    const lapack_int rows = p->right ? p->d : 1;
    double size = 0, *work = NULL;
    lapack_int *integers = NULL;
    RSD_TRY_DONE(rsd_array_alloc((size_t)p->d, 8, sizeof *integers, &integers));
    for (lapack_int length = -1;; length = (lapack_int)size) { /* first ask how much, then do it */
        double *const w = work ? work : &size;
        *info = divide ? LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, job, p->n, p->m, p->a, p->n, p->s,
                                             p->right, p->n, p->left, rows, w, length, integers)
                       : LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, job, job, p->n, p->m, p->a, p->n,
                                             p->s, p->right, p->n, p->left, rows, w, length);
        assert(*info >= 0); /* else an argument is wrong */
        if (work)
            break;
        RSD_TRY_DONE(rsd_array_alloc((size_t)size, 1, sizeof *work, &work));
    }
done:
    free(work);
    free(integers);
    return err;
}

static int solve(rsd_mat A, const problem *p)
{
    lapack_int info = 1;
    for (int divide = 1; divide >= 0 && info > 0; divide--) {
        rsd_widen(A, 0, A.m, 0, A.n, p->a);
        RSD_TRY(run(p, divide, &info));
    }
    return info ? RSD_FAIL(RSD_ECONV, "svd of a %zu x %zu matrix", A.m, A.n) : RSD_OK;
}

static void copy_vectors(const problem *p, rsd_spectrum *out)
{
    memcpy(out->v, p->right, out->vectors * out->n * sizeof *out->v);
    for (size_t k = 0; k < out->vectors; k++)
        for (size_t i = 0; i < out->m; i++)
            out->u[k * out->m + i] = p->left[i * (size_t)p->d + k];
}

int rsd_gesdd_spectrum(rsd_mat A, rsd_spectrum *out)
{
    int err = RSD_OK;
    const size_t d = A.m < A.n ? A.m : A.n;
    problem p = { .m = (lapack_int)A.m, .n = (lapack_int)A.n, .d = (lapack_int)d };
    RSD_TRY_DONE(rsd_array_alloc(A.m, A.n, sizeof *p.a, &p.a));
    RSD_TRY_DONE(rsd_array_alloc(d, 1, sizeof *p.s, &p.s));
    if (out->vectors) {
        RSD_TRY_DONE(rsd_array_alloc(A.n, d, sizeof *p.right, &p.right));
        RSD_TRY_DONE(rsd_array_alloc(A.m, d, sizeof *p.left, &p.left));
    }
    RSD_TRY_DONE(solve(A, &p));
    memcpy(out->s, p.s, out->count * sizeof *out->s);
    out->error_bound = (double)(A.m + A.n) * DBL_EPSILON * p.s[0];
    if (out->vectors)
        copy_vectors(&p, out);
done:
    free(p.a);
    free(p.s);
    free(p.right);
    free(p.left);
    return err;
}

size_t rsd_gesdd_bytes(size_t m, size_t n, size_t vectors)
{
    const size_t d = m < n ? m : n;
    const size_t with = vectors ? (m + n) * (d + vectors) + 4 * d * d : 0;
    return sizeof(double) * (m * n + 80 * (m + n) + with);
}
