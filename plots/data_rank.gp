# Cumulative energy of W, R, H, R H^1/2 and trained adapters: a panel per role.
load scripts."/style.gp"
gap_left = 0.3; gap_bottom = 0.2
set label 3 "rank r" at (margin_left + page_width - margin_right) / 2, 0.3
set label 4 "share of the energy in the first r directions"
do for [j=1:5] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j)
}
kind(j) = j == 1 ? 7 : j == 2 ? 4 : j == 3 ? 2 : j == 4 ? 1 : 6
plot for [j=1:5] $legend index j-1 with lines linetype kind(j)
eval panels_begin

set logscale x 2
set xrange [x_min:x_max]; set yrange [0:1]
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    plot for [j=1:5] $table index i-1 using 1:1+j with lines linetype kind(j)
}
unset multiplot
