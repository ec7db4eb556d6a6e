# Share of the sum of singular values held by the r largest: a panel per layer.
load scripts."/style.gp"
set label 3 "rank {/:Italic r}"
set label 4 "share of the sum Σσ"
logarithmic = 0
load scripts."/curves.gp"
