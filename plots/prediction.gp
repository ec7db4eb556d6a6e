# Predicted against measured recovery: a panel per metric, the diagonal drawn.
load scripts."/style.gp"
gap_left = 0.34; gap_bottom = 0.2
set label 3 "predicted share of the loss that comes back" \
    at (margin_left + page_width - margin_right) / 2, 0.3
set label 4 "measured share"
do for [j=1:2] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot for [j=1:2] $legend index j-1 every ::1::1 with points linetype 4*j-3 pointtype 8-j pointsize 0.7
eval panels_begin

set xrange [x_min:x_max]; set yrange [x_min:x_max]
set xtics x_step; set ytics x_step
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7 font ",7"
    plot x with lines linestyle 5, \
         $table index i-1 using 1:2:3 with yerrorbars linetype 1 dashtype solid pointtype 7 pointsize 0.45, \
         $table index i-1 using 1:4:5 with yerrorbars linetype 5 dashtype solid pointtype 6 pointsize 0.55
}
unset multiplot
