#!/bin/sh
# GGUF models whose tensors or metadata are not where one looks first: losses as transformers says
# them (tests/golden/make_gguf_models.py).
. "$srcdir/tests/cli/lib.sh"
models=$srcdir/tests/golden/gguf_models
E="--context 32 --precision f32 --json"

value() { sed -n "s/.*\"$1\": \([-0-9.e]*\),*/\1/p" out; }
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; exit !(a != "" && d < t && -d < t) }'; }
loses() { # loses FILE LOSS TOKENS TOLERANCE
    ok "$(basename "$1")" "$RESIDUUM" eval "$1" --tokens "$3" $E
    near "$(value loss)" "$2" "$4"; result $? "$(basename "$1"): a loss of $2"
}

while read -r name loss; do
    loses "$models/$name.gguf" "$loss" "$models/tokens.u16" 2e-6
done <"$models/losses.txt"
loses "$models/head-00003-of-00003.gguf" 5.238572919 "$models/tokens.u16" 2e-6

mkdir part && cp "$models"/head-0000[13]-of-00003.gguf part
fails 1 'part 2 of 3: part/head-00002-of-00003.gguf: ' 'a missing part is named' \
    "$RESIDUUM" inspect part/head-00001-of-00003.gguf

faults=$shared/faults
for line in 'head_last-00001-of-00003 5.57680 t.u16' 'llama_factor_no_type 5.53049 t.u16' \
    'nvfp4-scale 5.55789 nvfp4-scale.t.u16'; do
    set -- $line
    if [ -f "$faults/$1.gguf" ]; then
        loses "$faults/$1.gguf" "$2" "$faults/$3" 6e-6
    else
        skip "$1" "no $faults"
    fi
done
finish
