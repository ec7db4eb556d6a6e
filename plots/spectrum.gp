# Singular values on a logarithmic axis, with the Marchenko-Pastur edge of R: a panel per layer.
load scripts."/style.gp"
set label 3 "number {/:Italic k} of the singular value"
set label 4 "singular value σ_{/:Italic k} (weight units)"
logarithmic = 1
load scripts."/curves.gp"
