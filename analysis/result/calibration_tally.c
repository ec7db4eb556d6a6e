/* Counting what a calibration did not reach, and saying it once. */
#include "result/calibration_tally.h"

#include "alloc.h"
#include "cli/console.h"
#include "quantizers/importance.h"

#include <stdlib.h>

int calibration_tally_add(calibration_tally *tally, const rsd_tensor *t, const rsd_calibration *c)
{
    const size_t unseen = c ? rsd_unseen_inputs(c) : 0;
    if (c && !unseen)
        return RSD_OK;
    for (size_t i = 0; i < tally->count; i++)
        if (tally->remark[i].tensor == t)
            return RSD_OK;
    RSD_TRY(rsd_room(&tally->remark, tally->count, 1, sizeof *tally->remark));
    tally->remark[tally->count++] = (calibration_remark){ t, unseen };
    return RSD_OK;
}

/* ": a, b, c and 4 more" of the matrices of one kind; how many they are. */
static size_t list_names(const calibration_tally *tally, bool absent, char **out)
{
    enum { NAMED = 3 };
    size_t count = 0;
    char *names = NULL;
    for (size_t i = 0; i < tally->count; i++) {
        const calibration_remark *r = &tally->remark[i];
        char *longer = NULL;
        if ((r->unseen == 0) != absent || ++count > NAMED)
            continue;
        if (rsd_format(&longer, "%s%s %s", names ? names : ":", names ? "," : "", r->tensor->name))
            break;
        free(names);
        names = longer;
    }
    if (count > NAMED && rsd_format(out, "%s and %zu more", names, count - NAMED) == RSD_OK)
        free(names);
    else
        *out = names;
    return count;
}

void calibration_tally_note(const calibration_tally *tally, const char *path)
{
    char *names;
    size_t inputs = 0, all = 0, count = list_names(tally, true, &names);
    if (count)
        console_note("%s has nothing of %zu %s, quantized as without it%s", path, count,
                     count == 1 ? "matrix" : "matrices", names ? names : "");
    free(names);
    for (size_t i = 0; i < tally->count; i++) {
        inputs += tally->remark[i].unseen;
        all += tally->remark[i].unseen ? tally->remark[i].tensor->cols : 0;
    }
    count = list_names(tally, false, &names);
    if (count)
        console_note("%s never saw %zu of %zu inputs of %zu %s; they weigh as typical ones%s", path,
                     inputs, all, count, count == 1 ? "matrix" : "matrices", names ? names : "");
    free(names);
}

void calibration_tally_free(calibration_tally *tally)
{
    free(tally->remark);
    *tally = (calibration_tally){ 0 };
}
