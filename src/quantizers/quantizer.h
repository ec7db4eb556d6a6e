/* A quantizer packs a weight matrix into bytes and unpacks them.  Each lives in one file of this
 * folder, whose name is its name, and is listed once: in QUANTIZERS of Makefile.am. */
#ifndef RSD_QUANTIZERS_QUANTIZER_H
#define RSD_QUANTIZERS_QUANTIZER_H

#include "err.h"
#include "mat.h"
#include "quantizers/calibration.h"
#include "quantizers/packed.h"
#include "spec.h"

typedef struct rsd_spec rsd_spec; /* a quantizer with its parameters, below */

/* Weights that share a scale. */
typedef enum {
    RSD_RUNS_UNKNOWN,
    RSD_RUNS_OF_ROW, /* `length` of a row, one after the other; a row's last run may be shorter */
    RSD_RUNS_FLAT,   /* the same of the flat row-major matrix, rows' ends crossed */
    RSD_RUNS_OF_ROWS /* all of `length` rows */
} rsd_runs_over;

/* The size of a run that its error goes with. */
typedef enum {
    RSD_SIZE_LARGEST, /* magnitude */
    RSD_SIZE_RANGE    /* largest less smallest, 0 among them */
} rsd_run_size;

typedef struct {
    rsd_runs_over over;
    rsd_run_size size;
    size_t length; /* > 0; SIZE_MAX: all of a row, or of the matrix */
} rsd_scale_runs;

typedef struct {
    const char *name;
    const char *summary;      /* one line, for `residuum list` */
    const char *reference;    /* paper or code it follows */
    const rsd_opt *options;   /* table over the parameter struct */
    const void *defaults;     /* a static const parameter struct */
    size_t params_size;       /* its size, <= RSD_PARAMS_MAX */
    const rsd_alias *aliases; /* ends in alias == NULL; NULL for none */
    rsd_calibration_need calibration;
    const void *data; /* what a family's shared functions need to know of this member; theirs */

    /* Is a dequantized matrix left as it is when it is quantized again, without calibration where
     * that can be?  (Scales that are subnormal in float32 aside.)  NULL: never. */
    bool (*idempotent)(const rsd_spec *spec);

    /* Which weights share a scale, where the error that it makes depends on their sizes alone and
     * not on other weights or data: then it can be foreseen (expected_error.h).  NULL: it does, or
     * is not known. */
    rsd_scale_runs (*scales)(const rsd_spec *spec);

    /* After parsing: refuse what no table row can refuse alone, and replace "auto" by what it
     * stands for.  Settling twice changes nothing.  NULL: nothing to do.  Errors: RSD_EUSAGE. */
    int (*settle)(void *params);

    /* Add sections to an initialised *out and fill them.  W is finite, not empty, any shape and ld.
     * c is NULL unless .calibration takes one; its shape is W's.  Methods that need it check the
     * members they need.  What comes out of unpack must be finite too, also for W near the ends of
     * float32. */
    int (*pack)(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out);

    /* Wq = what the bytes stand for.  Shape is the packed one. */
    int (*unpack)(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq);
} rsd_quantizer;

/* NULL-terminated, in Makefile order. */
extern const rsd_quantizer *const rsd_quantizers[];

/* A SPEC of the command line, parsed: `name[:key[=value],...]`, name or alias. */
struct rsd_spec {
    const rsd_quantizer *quantizer;
    _Alignas(max_align_t) unsigned char params[RSD_PARAMS_MAX];
    char text[RSD_SPEC_MAX]; /* canonical: `nf:bits=4,block=64` */
};

/* Its parameter struct. */
static inline const void *rsd_spec_params(const rsd_spec *spec) { return spec->params; }

/* An `idempotent` that holds whatever the parameters. */
bool rsd_idempotent_always(const rsd_spec *spec);

/* The length of the first SPEC of a list "nf4,int:bits=3,group=32" (rsd_registry_item). */
size_t rsd_spec_item(const char *list);

/* Errors: RSD_ENOTFOUND for an unknown name (the message has the near one, else all), RSD_EUSAGE
 * (the message begins with the text that was given). */
RSD_CHECK int rsd_spec_parse(const char *text, rsd_spec *out);

/* Pack W; free *out with rsd_packed_free also after a failure.  The only way in: shapes and
 * finiteness are checked here, so methods contain only the method.  Not threaded inside: callers
 * run matrices side by side.  c: what is known of the layer's data, or NULL.
 * Errors: RSD_EDOM (NaN or Inf, says where), RSD_EARG (empty, or c of another shape), RSD_EUSAGE
 * (no calibration, but the method needs it), the method's own, RSD_ENOMEM. */
RSD_CHECK int rsd_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out);

/* Wq from bytes.  Errors: RSD_EARG where Wq has another shape, RSD_ENOMEM. */
RSD_CHECK int rsd_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq);

/* How far Wq is from W. */
typedef struct {
    double bits_per_weight;
    size_t packed_bytes;
    double relative_error; /* ||W - Wq||_F / ||W||_F; 0 for two zero matrices */
    double sqnr_db;        /* -20 log10 relative_error; +Inf for no error */
    double max_abs_error;
    size_t
        unseen_inputs; /* that a method with calibration weighed as typical ones (importance.h) */
} rsd_quant_stats;

/* Pack, unpack into Wq (not W), measure.  keep, if not NULL, gets the packed bytes: free them with
 * rsd_packed_free, also after a failure.  Errors: as rsd_pack. */
RSD_CHECK int rsd_quantize(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_mat Wq,
                           rsd_quant_stats *stats, rsd_packed *keep);

#endif
