/* What spectra say of the loss that is left when every layer of a set is corrected at a rank of its
 * own: energies of residuals, and what of each lies behind the rank, add up over layers.  That they
 * do is an assumption; one layer at a time and all at once measure it. */
#ifndef RSD_SPECTRA_FORECAST_H
#define RSD_SPECTRA_FORECAST_H

/* Sums over layers, from { 0 } on. */
typedef struct {
    double total, left; /* energies ||.||_F^2, and what remains of them */
} rsd_forecast;

/* One more layer.  energy: ||.||_F^2 of its residual in one weighting; remaining: the share of it
 * behind the layer's rank (rsd_remaining).  NaN makes the sums NaN: nothing is known. */
void rsd_forecast_add(rsd_forecast *f, double energy, double remaining);

/* left / total; NaN where nothing is known, or there is no energy. */
double rsd_forecast_remaining(const rsd_forecast *f);

/* Nats per token that a residual costs, energy being ||G^1/2 R H^1/2||_F^2 = tr(G R H R'): half of
 * it, to second order (the loss's Taylor series at the original weights, its curvature taken as
 * G x H); 0 where roundoff made it negative. */
double rsd_loss_of_energy(double energy);

/* The same of what is left, summed over the layers. */
double rsd_forecast_loss(const rsd_forecast *f);

#endif
