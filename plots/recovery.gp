# Loss along training: a panel per rank, a line per start, levels of the original and of the
# quantized model.
load scripts."/style.gp"
set label 3 "training step"
set label 4 "loss, nats per token"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
set label 11+series "quantized, without adapter" at legend_x(series + 1), legend_y(series + 1)
set label 12+series "original" at legend_x(series + 2), legend_y(series + 2)
set label 13+series "original with adapter, trained alike" \
    at legend_x(series + 3), legend_y(series + 3)
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6, \
     $legend index series with lines linestyle 3, \
     $legend index series+1 with lines linestyle 1, \
     $legend index series+2 with lines linestyle 5
eval panels_begin

set xrange [x_min:x_max]
set yrange [y_min:y_max]
set xtics x_step
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set format x (last_in_col(i) ? "%g" : "")
    set format y (first_in_row(i) ? "%g" : "")
    control = value(sprintf("control_%d", i))
    plot loss_q with lines linestyle 3, loss_fp with lines linestyle 1, \
         control with lines linestyle 5, \
         for [j=1:series] $table index i-1 using 1:1+j with linespoints linetype j pointsize 0.5
}
unset multiplot
