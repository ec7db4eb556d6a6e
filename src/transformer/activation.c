/* Each nonlinearity is two kernels, its value and its derivative, on a chunk that stays in the
 * first cache; the public functions combine them chunk by chunk, so that nothing but the operands
 * passes through memory and no combination is written twice. */
#include "transformer/activation.h"

#include "par.h"
#include "transformer/vector.h"

enum { CHUNK = 512 }; /* three buffers of it in double are 12 KiB */

/* ---- value f(x), and derivative d = f'(x) ---- */

RSD_WIDEST static void relu(const rsd_real *restrict x, rsd_real *restrict f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays */
}

RSD_WIDEST static void relu_slope(const rsd_real *restrict x, rsd_real *restrict d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d[i] = x[i] > 0 ? 1 : x[i] <= 0 ? 0 : x[i];
}

/* 1/(1 + e^-x); e^-x may be Inf. */
static inline rsd_real logistic(rsd_real x) { return 1 / (1 + vector_exp(-x)); }

/* x times a probability; at -Inf the probability wins. */
static inline rsd_real weigh(rsd_real x, rsd_real p) { return p == 0 ? 0 : x * p; }

RSD_WIDEST static void silu(const rsd_real *restrict x, rsd_real *restrict f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f[i] = weigh(x[i], logistic(x[i]));
}

RSD_WIDEST static void silu_slope(const rsd_real *restrict x, rsd_real *restrict d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rsd_real p = logistic(x[i]);
        d[i] = p + weigh(x[i], p * (1 - p));
    }
}

/* (1 + tanh u)/2 = 1/(1 + e^-2u): no tanh is needed, and the negative tail keeps its digits. */
static const rsd_real two_root = (rsd_real)1.5957691216057308; /* 2 sqrt(2/pi) */
static const rsd_real cubic = (rsd_real)0.044715;

RSD_WIDEST static void gelu_tanh(const rsd_real *restrict x, rsd_real *restrict f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rsd_real u = two_root * (x[i] + cubic * x[i] * x[i] * x[i]);
        f[i] = weigh(x[i], logistic(u));
    }
}

RSD_WIDEST static void gelu_tanh_slope(const rsd_real *restrict x, rsd_real *restrict d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rsd_real x2 = x[i] * x[i];
        const rsd_real p = logistic(two_root * (x[i] + cubic * x[i] * x2));
        const rsd_real q = p * (1 - p);
        d[i] = p + (q == 0 ? 0 : x[i] * q * two_root * (1 + 3 * cubic * x2));
    }
}

static inline rsd_real normal_below(rsd_real x, rsd_real e) /* P(X <= x), e = exp(-x^2/2) */
{
    const rsd_real tail = vector_tail(x < 0 ? -x : x, e);
    return x < 0 ? tail : 1 - tail;
}

RSD_WIDEST static void gelu(const rsd_real *restrict x, rsd_real *restrict f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f[i] = weigh(x[i], normal_below(x[i], vector_exp((rsd_real)-0.5 * x[i] * x[i])));
}

RSD_WIDEST static void gelu_slope(const rsd_real *restrict x, rsd_real *restrict d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rsd_real e = vector_exp((rsd_real)-0.5 * x[i] * x[i]);
        const rsd_real density = (rsd_real)0.3989422804014327 * e;
        d[i] = normal_below(x[i], e) + weigh(x[i], density);
    }
}

typedef void kernel(const rsd_real *restrict x, rsd_real *restrict y, size_t n);

static const struct {
    kernel *value, *slope;
} table[] = {
    [RSD_RELU] = { relu, relu_slope },
    [RSD_GELU] = { gelu, gelu_slope },
    [RSD_GELU_TANH] = { gelu_tanh, gelu_tanh_slope },
    [RSD_SILU] = { silu, silu_slope },
};

static const struct {
    const char *name;
    rsd_activation f;
} names[] = {
    { "relu", RSD_RELU },
    { "gelu", RSD_GELU },
    { "gelu_new", RSD_GELU_TANH },
    { "gelu_fast", RSD_GELU_TANH },
    { "gelu_pytorch_tanh", RSD_GELU_TANH },
    { "silu", RSD_SILU },
    { "swish", RSD_SILU },
};

int rsd_activation_find(const char *name, rsd_activation *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i].name)) {
            *out = names[i].f;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_ENOTFOUND,
                    "activation '%s': known are relu, gelu, gelu_new, gelu_fast, "
                    "gelu_pytorch_tanh, silu, swish",
                    name);
}

/* ---- combinations ---- */

RSD_WIDEST static void multiply(const rsd_real *a, const rsd_real *b, rsd_real *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

RSD_WIDEST static void add_chunk(const rsd_real *restrict x, rsd_real *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static size_t piece(size_t first, size_t n) { return n - first < CHUNK ? n - first : CHUNK; }

void rsd_activation_forward(rsd_activation f, const rsd_real *x, rsd_real *y, size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += CHUNK) {
        rsd_real value[CHUNK];
        table[f].value(x + i, value, piece(i, n));
        memcpy(y + i, value, piece(i, n) * sizeof *y);
    }
}

void rsd_activation_backward(rsd_activation f, const rsd_real *dy, const rsd_real *x, rsd_real *dx,
                             size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += CHUNK) {
        rsd_real slope[CHUNK];
        table[f].slope(x + i, slope, piece(i, n));
        multiply(dy + i, slope, dx + i, piece(i, n));
    }
}

void rsd_gated_forward(rsd_activation f, const rsd_real *gate, const rsd_real *up, rsd_real *y,
                       size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += CHUNK) {
        rsd_real value[CHUNK];
        table[f].value(gate + i, value, piece(i, n));
        multiply(value, up + i, y + i, piece(i, n));
    }
}

void rsd_gated_backward(rsd_activation f, const rsd_real *dy, const rsd_real *gate,
                        const rsd_real *up, rsd_real *dgate, rsd_real *dup, size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t count = piece(i, n);
        rsd_real value[CHUNK], slope[CHUNK];
        table[f].value(gate + i, value, count);
        table[f].slope(gate + i, slope, count);
        multiply(slope, up + i, slope, count); /* all of up is read before anything is written */
        multiply(slope, dy + i, slope, count);
        multiply(value, dy + i, dup + i, count);
        memcpy(dgate + i, slope, count * sizeof *dgate);
    }
}

void rsd_add(rsd_real *y, const rsd_real *x, size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += RSD_CHUNK)
        add_chunk(x + i, y + i, n - i < RSD_CHUNK ? n - i : RSD_CHUNK);
}
