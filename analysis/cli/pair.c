/* Pairing the tensors of two checkpoints by their names. */
#include "cli/pair.h"

#include <string.h>

/* Is one of the names the other behind a prefix? */
static bool same_but_prefix(const char *a, const char *b)
{
    const size_t n = strlen(a), k = strlen(b);
    if (n < k)
        return same_but_prefix(b, a);
    return strcmp(a + n - k, b) == 0 && (n == k || a[n - k - 1] == '.');
}

const rsd_tensor *pair_find(const rsd_model *other, const char *name)
{
    const rsd_tensor *found = rsd_model_find(other, name);
    for (size_t i = 0; !found && i < rsd_model_count(other); i++) {
        const rsd_tensor *t = rsd_model_tensor(other, i);
        if (!same_but_prefix(t->name, name))
            continue;
        for (size_t k = i + 1; k < rsd_model_count(other); k++)
            if (same_but_prefix(rsd_model_tensor(other, k)->name, name))
                return NULL;
        found = t;
    }
    return found;
}
