/* Something done to every layer of a model, side by side: layers fail by themselves, the first that
 * did is said with its matrix' name, and a signal ends the rest. */
#ifndef RSD_RECOVER_EACH_LAYER_H
#define RSD_RECOVER_EACH_LAYER_H

#include "io/model.h"

typedef struct {
    void *job; /* [count], size bytes each; the first member of each is its const rsd_tensor * */
    size_t count, size;
    int (*run)(void *job);
    size_t (*bytes)(const void *job); /* of memory that run takes (par.h) */
} layers_work;

/* Errors: run's, with the matrix' name; RSD_ESTOPPED after a signal; RSD_ENOMEM. */
RSD_CHECK int layers_each(const layers_work *work);

#endif
