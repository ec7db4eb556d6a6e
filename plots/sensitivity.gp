# Loss increase of each matrix quantized alone: measured with its error, and predicted.
load scripts."/style.gp"
gap_left = 0.42; gap_bottom = 0.2
set label 3 "matrix, in file order" at (margin_left + page_width - margin_right) / 2, 0.3
set label 4 "loss increase (nats per token)"
do for [j=1:3] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot $legend index 0 every ::1::1 with points linetype 6 pointtype 7 pointsize 0.6, \
     $legend index 1 with lines linetype 4, $legend index 2 with lines linetype 7
eval panels_begin

set xrange [x_min:x_max]
set logscale y; set yrange [y_min:y_max]
set format y "10^{%T}"
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    plot $table index i-1 using 1:2:3 with yerrorbars linetype 6 dashtype solid pointtype 7 pointsize 0.4, \
         $table index i-1 using 1:4 with lines linetype 4, \
         $table index i-1 using 1:5 with lines linetype 7
}
unset multiplot
