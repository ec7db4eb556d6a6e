/* How an adapter starts: each initialisation is one file of src/adapters/inits, whose name is its
 * name, listed once in INITS of Makefile.am.
 *
 * An initialisation is given W and its quantizer and answers with the base that is kept, W_q (its
 * packed bytes), and the correction C = B A that is meant to stand beside it, before any scaling:
 * rsd_adapter_set divides by s, whatever alpha and r (what widely used code forgets). */
#ifndef RSD_ADAPTERS_INIT_H
#define RSD_ADAPTERS_INIT_H

#include "adapters/metric.h"
#include "quantizers/quantizer.h"

#include <stdint.h>

typedef struct {
    rsd_mat W;                          /* m x n, the original; not changed */
    const rsd_spec *quantizer;          /* NULL: not quantized, W_q = W (the control) */
    const rsd_calibration *calibration; /* of this layer, or NULL */
    const rsd_eigenaxes *H, *G; /* of the calibration's H and G, where many starts share them; NULL:
                              are computed where needed */
    size_t rank;                /* 1 .. min(m,n) */
    double damping;             /* of H and G, as a share of the mean eigenvalue */
    uint64_t seed;              /* of this layer: rsd_seed(run's seed, tensor's name) */
} rsd_init_task;

typedef struct {
    rsd_mat Wq;            /* m x n, allocated by the caller */
    rsd_mat B, A;          /* m x r and r x n, allocated by the caller */
    rsd_packed packed;     /* what Wq was unpacked from; nothing (m 0) without quantizer.  Freed by
                              the caller with rsd_packed_free, also after a failure */
    rsd_quant_stats stats; /* how far Wq is from what it was made of: W, or W - C where a
                              correction came first */
    size_t clamped;        /* eigenvalues of H and G that were below 0 */
    size_t steps;          /* alternations done, where the method alternates */
} rsd_init_result;

typedef struct {
    const char *name, *summary, *reference; /* paper or code it follows */
    const rsd_opt *options;                 /* as a quantizer's; NULL: none */
    const void *defaults;
    size_t params_size;       /* <= RSD_PARAMS_MAX */
    const rsd_alias *aliases; /* or NULL */
    rsd_calibration_need calibration;
    bool trains_only; /* C is 0: nothing is corrected before training (zero, gaussian, eva) */

    /* May W_q be another than what the quantizer makes of W?  Then the adapter is of no use without
     * this W_q.  NULL: never. */
    bool (*moves_base)(const void *params);

    int (*start)(const void *params, const rsd_init_task *task, rsd_init_result *out);
} rsd_init;

/* NULL-terminated, in Makefile order. */
extern const rsd_init *const rsd_inits[];

/* `name[:key[=value],...]`, as a quantizer's SPEC. */
typedef struct {
    const rsd_init *init;
    _Alignas(max_align_t) unsigned char params[RSD_PARAMS_MAX];
    char text[RSD_SPEC_MAX]; /* canonical */
} rsd_init_spec;

/* The length of the first of a list "zero,loftq:steps=5,first=svd" (rsd_registry_item). */
size_t rsd_init_item(const char *list);

/* Errors: RSD_ENOTFOUND (the message has the near name, else all), RSD_EUSAGE. */
RSD_CHECK int rsd_init_parse(const char *text, rsd_init_spec *out);

/* Is the base of these adapters not what the quantizer makes of W? */
bool rsd_init_moves_base(const rsd_init_spec *spec);

/* The only way in: shapes, rank, finiteness and the calibration are checked here.
 * Errors: RSD_EARG, RSD_EDOM, RSD_EUSAGE (calibration needed), the method's, RSD_ENOMEM. */
RSD_CHECK int rsd_init_start(const rsd_init_spec *spec, const rsd_init_task *task,
                             rsd_init_result *out);

#endif
