# What is left of the error after the best correction of rank r: a panel per layer, a line per
# quantizer.  Rank 0, no correction, stands left of rank 1 on the logarithmic axis.
load scripts."/style.gp"
set label 3 "rank {/:Italic r} of the correction"
set label 4 \
    "error  ‖{/:Italic W} − {/:Italic W_q} − SVD_{/:Italic r}({/:Italic R})‖ / ‖{/:Italic W}‖"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
set label 11+series "{/:Italic W} itself, without quantizer" \
    at legend_x(series + 1), legend_y(series + 1)
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     $legend index series with lines linestyle 1
eval panels_begin

set logscale x 2
set logscale y
set xrange [0.9*x_min:x_max]
set yrange [y_min:y_max]
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set xtics 4
    set xtics add ("0" x_min)
    set format x (last_in_col(i) ? "%g" : "")
    y_format = first_in_row(i) ? "%g" : ""
    set format y y_format
    if (few_decades(y_min, y_max)) { eval numbers_at_2_and_5 }
    if (!last_in_col(i)) { set xtics add ("" x_min) }
    plot $table index i-1 using "rank":"W" with lines linestyle 1, \
         for [j=1:series] $table index i-1 using 1:2+j with lines linetype j
}
unset multiplot
