/* Factors as their quantizer keeps them, from now on. */
#include "recover/storage.h"

#include "adapters/stored.h"

int student_store(student *m, int64_t *bytes)
{
    size_t counted;
    *bytes = 0;
    if (m->sweep->params->numbers.straight && !m->run->control)
        return RSD_OK;
    RSD_TRY(rsd_adapters_store(m->run->factors, &m->adapters, &counted));
    *bytes = (int64_t)counted;
    return rsd_adapted_refresh(m->hook);
}
