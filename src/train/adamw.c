#include "train/adamw.h"

#include "mat.h"
#include "par.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int check(const rsd_adamw_options *o)
{
    const double b1 = o->beta1, b2 = o->beta2;
    if (!(b1 >= 0 && b1 < 1 && b2 >= 0 && b2 < 1 && o->eps >= 0))
        return RSD_FAIL(RSD_EARG, "AdamW with beta %g, %g and eps %g; 0 <= beta < 1, eps >= 0", b1,
                        b2, o->eps);
    return RSD_OK;
}

int rsd_adamw_alloc(size_t count, const rsd_adamw_options *options, rsd_adamw *out)
{
    *out = (rsd_adamw){ .options = *options, .count = count };
    RSD_TRY(check(options));
    RSD_TRY(rsd_array_alloc(count, 2, sizeof *out->moments, &out->moments));
    memset(out->moments, 0, 2 * count * sizeof *out->moments);
    return RSD_OK;
}

/* Blocks are reserved before they are mapped: a full disk would end the process by SIGBUS. */
static int map_file(int fd, const char *path, size_t bytes, void **out)
{
    const int full = posix_fallocate(fd, 0, (off_t)bytes);
    if (full)
        return RSD_FAIL(RSD_EIO, "%s: %zu bytes for the optimizer: %s", path, bytes,
                        strerror(full));
    *out = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*out == MAP_FAILED) {
        *out = NULL;
        return RSD_FAIL(RSD_EIO, "%s: cannot be mapped: %s", path, strerror(errno));
    }
    return RSD_OK;
}

int rsd_adamw_alloc_mapped(size_t count, const rsd_adamw_options *options, const char *path,
                           rsd_adamw *out)
{
    size_t bytes;
    void *moments;
    *out = (rsd_adamw){ .options = *options, .count = count };
    RSD_TRY(check(options));
    if (__builtin_mul_overflow(count ? count : 1, 2 * sizeof *out->moments, &bytes) ||
        bytes > PTRDIFF_MAX)
        return RSD_FAIL(RSD_ENOMEM, "moments of %zu numbers do not fit the address space", count);
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", path, strerror(errno));
    const int err = map_file(fd, path, bytes, &moments);
    close(fd);
    unlink(path);
    if (!err) { /* a new file's bytes are 0 */
        out->moments = moments;
        out->mapped = bytes;
    }
    return err;
}

void rsd_adamw_free(rsd_adamw *a)
{
    if (a->mapped)
        munmap(a->moments, a->mapped);
    else
        free(a->moments);
    *a = (rsd_adamw){ 0 };
}

void rsd_adamw_begin(rsd_adamw *a) { a->step++; }

/* Elementwise, so the result does not depend on how the loop is shared.  Constants are prepared in
 * double and rounded once; 1 - beta^t as -expm1(t log beta), which is exact near t = 0. */
void rsd_adamw_update(rsd_adamw *a, double lr, double decay, double scale, size_t first, size_t n,
                      const rsd_real *g, rsd_real *x)
{
    assert(a->step > 0 && first + n <= a->count);
    const double t = (double)a->step, b1 = a->options.beta1, b2 = a->options.beta2;
    const double correct1 = -expm1(t * log(b1)), correct2 = -expm1(t * log(b2));
    const rsd_real keep = (rsd_real)(1 - lr * decay), s = (rsd_real)scale, m1 = (rsd_real)b1,
                   n1 = (rsd_real)(1 - b1), m2 = (rsd_real)b2, n2 = (rsd_real)(1 - b2),
                   rate = (rsd_real)(lr / correct1), root = (rsd_real)(1 / sqrt(correct2)),
                   eps = (rsd_real)a->options.eps;
    rsd_real *m = a->moments, *v = a->moments + a->count;
#pragma omp parallel for simd schedule(static) num_threads(rsd_par_inner())
    for (size_t i = first; i < first + n; i++) {
        const rsd_real d = s * g[i];
        m[i] = m1 * m[i] + n1 * d;
        v[i] = m2 * v[i] + n2 * d * d;
        x[i] = keep * x[i] - rate * m[i] / ((rsd_real)sqrt((double)v[i]) * root + eps);
    }
}

/* Blocks have partial sums of their own, which are then added in order. */
double rsd_norm2(const rsd_real *g, size_t n)
{
    enum { BLOCK = 1 << 14, PARTS = 64 };
    double total = 0;
    for (size_t first = 0; first < n; first += (size_t)BLOCK * PARTS) {
        double part[PARTS] = { 0 };
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
        for (size_t k = 0; k < PARTS; k++) {
            const size_t begin = first + k * BLOCK, end = begin + BLOCK < n ? begin + BLOCK : n;
            for (size_t i = begin; i < end; i++)
                part[k] += (double)g[i] * (double)g[i];
        }
        for (size_t k = 0; k < PARTS; k++)
            total += part[k];
    }
    return sqrt(total);
}

double rsd_clip(double norm, double most) { return most > 0 && norm > most ? most / norm : 1; }
