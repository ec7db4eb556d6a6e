# Recovered share of the loss against rank: a panel per quantizer, a line per start, with one
# standard error.  Points of one rank stand side by side.
load scripts."/style.gp"
set label 3 "rank of the adapters"
set label 4 "recovered, % of the loss that quantization cost"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6
eval panels_begin

set logscale x 2
beside(j) = 1.025**(j - 0.5 * (series + 1))
set xrange [x_min:x_max]
set yrange [y_min:y_max]
set xtics 2
set ytics y_step
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set format x (last_in_col(i) ? "%g" : "")
    set format y (first_in_row(i) ? "%g" : "")
    plot 0 with lines linestyle 5, 100 with lines linestyle 5, \
         for [j=1:series] $table index i-1 using ($1*beside(j)):2*j:1+2*j with yerrorlines linetype j pointsize 0.6
}
unset multiplot
