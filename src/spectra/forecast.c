#include "spectra/forecast.h"

#include <math.h>

void rsd_forecast_add(rsd_forecast *f, double energy, double remaining)
{
    f->total += energy;
    f->left += energy * remaining;
}

double rsd_forecast_remaining(const rsd_forecast *f)
{
    return f->total > 0 ? f->left / f->total : NAN;
}

double rsd_loss_of_energy(double energy) { return energy < 0 ? 0 : energy / 2; }

double rsd_forecast_loss(const rsd_forecast *f) { return rsd_loss_of_energy(f->left); }
