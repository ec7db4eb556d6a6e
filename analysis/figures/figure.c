/* The registry of figures. */
#include "figures/figure.h"

#include <stdio.h>
#include <string.h>

#define ENTRY(name) extern const figure figure_##name;
#include "figures/list.h"
#undef ENTRY

const figure *const figures[] = {
#define ENTRY(name) &figure_##name,
#include "figures/list.h"
#undef ENTRY
    NULL
};

const figure *figure_find(const char *name)
{
    for (const figure *const *f = figures; *f; f++)
        if (strcmp((*f)->name, name) == 0)
            return *f;
    return NULL;
}

void figure_names(char *out, size_t size)
{
    size_t used = 0;
    *out = 0;
    for (const figure *const *f = figures; *f && used < size; f++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", (*f)->name);
}
