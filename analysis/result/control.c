/* The control: a matrix of known rank beside the user's models. */
#include "result/control.h"

#include "result/result.h"

#include <stdlib.h>
#include <string.h>

static bool is_synthetic(const rsd_store *store, const char *path)
{
    char *source = NULL;
    const bool synthetic = rsd_store_has(store, path, "source") &&
                           !rsd_store_get_text(store, path, "source", &source) &&
                           strncmp(source, "synthetic:", 10) == 0;
    free(source);
    return synthetic;
}

bool result_is_control(const rsd_store *store, const char *model)
{
    char *path = result_model_path(model);
    int64_t control = 0;
    if (!path || !rsd_store_exists(store, path))
        control = 0;
    else if (!rsd_store_has(store, path, "control"))
        control = strcmp(model, "control") == 0 && is_synthetic(store, path);
    else if (rsd_store_get_int(store, path, "control", &control))
        control = 0;
    free(path);
    return control != 0;
}
