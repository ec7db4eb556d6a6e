# Share of the squared Frobenius norm held by the r largest singular values: a panel per layer.
load scripts."/style.gp"
set label 3 "rank {/:Italic r}"
set label 4 "share of the energy Σσ^2"
logarithmic = 0
load scripts."/curves.gp"
