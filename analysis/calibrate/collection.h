/* What calibrate.c (the command: what is to be done) and calibrate_pass.c (doing it) share. */
#ifndef RSD_CALIBRATE_PRIVATE_H
#define RSD_CALIBRATE_PRIVATE_H

#include "cli/command.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "result/amend.h"
#include "result/moment_group.h"
#include "transformer/calibrate.h"

typedef struct {
    rsd_common common;
    stream_options stream;
    double memory;
    bool empirical;
    select_options select;
} calibrate_params;

/* A linear layer that is calibrated. */
typedef struct {
    const rsd_tensor *tensor;
    size_t block;
    rsd_slot slot;
    char *path;    /* of the matrix' group */
    size_t leader; /* the layer, of those that read the same input, whose H is everyone's */
} layer;

/* One moment. */
typedef struct {
    size_t layer, n, pass;
    const char *what; /* "H" or "G" */
    moment_spectrum c;
    int code; /* of its own failure */
    char message[512];
} unit;

typedef struct {
    const calibrate_params *params;
    const char *command_line;
    rsd_model *model;
    char *name;
    journal_model entry;
    rsd_weights *weights;
    rsd_transformer *pass;
    stream stream;
    amend file;
    char about[512]; /* what shapes the numbers */
    bool forget;     /* what the file holds of another calibration */
    size_t layers, units, passes;
    layer *layer;
    unit *unit;
    size_t *measured, measured_count; /* units of the pass at hand */
    rsd_block_moments *moments;
} collection;

/* Collect the moments of one pass over the tokens and write them.  Errors: those of the forward
 * pass and of the file; RSD_ESTOPPED after a signal, with nothing written. */
RSD_CHECK int calibrate_pass(collection *c, size_t pass);

#endif
