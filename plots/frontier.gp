# Loss against bits per weight: quantizers alone, and with adapters of growing rank.
load scripts."/style.gp"
set label 3 "bits per weight, adapters counted"
set label 4 "loss, nats per token"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
set label 11+series "quantized, without adapter" at legend_x(series + 1), legend_y(series + 1)
set label 12+series "original" at legend_x(series + 2), legend_y(series + 2)
if (bases) {
    set label 13+series "the same bytes, without adapter" at legend_x(series + 3), legend_y(series + 3)
}
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6, \
     $legend index series with lines linestyle 3, \
     $legend index series every ::1::1 with points linestyle 3 pointsize 0.8, \
     $legend index series+1 with lines linestyle 1, \
     for [k=1:bases] $legend index series+2 with lines linestyle 5, \
     for [k=1:bases] $legend index series+2 every ::1::1 \
         with points linestyle 5 pointtype 12 pointsize 0.9
eval panels_begin

eval place(1)
set xrange [x_min:x_max]
set yrange [y_min:y_max]
do for [k=1:points] {
    set label 100+k "".value(sprintf("point_%d", k)) noenhanced \
        at value(sprintf("point_x_%d", k)), value(sprintf("point_y_%d", k)) offset 0.6,0.5
}
column_of(s, j) = 3 + (s - 1) * series + j
plot loss_fp with lines linestyle 1, \
     $table using 1:2 with linespoints linestyle 3 pointsize 0.8, \
     for [s=1:specs] for [j=1:series] $table using 1:column_of(s, j) \
         with linespoints linetype j pointsize 0.6, \
     for [k=1:bases] $table using 1:3 with linespoints linestyle 5 pointtype 12 pointsize 0.9
unset multiplot
