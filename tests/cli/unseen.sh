#!/bin/sh
# Importance matrices with inputs that the data never reached, and without some of the matrices.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo

entry() { # entry NAME INPUTS SEEN: the first SEEN of them have importance 1, the others 0
    importance "$1" "$2" && repeat "$3" $f32_1 && repeat $(($2 - $3)) $f32_0
}
# error SPEC IMATRIX: of the first layer's output matrix
error() {
    $RESIDUUM quantize $demo -q "$1" --include '*.0.attention.dense.weight' ${2:+--imatrix $2} \
        -o quantized --force --json >out 2>err || return
    value relative_error
}

(le32 1 && entry blk.0.attn_output.weight 128 96) >part
(le32 1 && entry blk.0.attn_output.weight 128 0) >nothing
for q in q4_0 q5_0 q4_1 q3_k q4_k q6_k iq4_nl iq4_xs; do
    plain=$(error $q)
    part=$(error $q part)
    awk -v a="$part" -v b="$plain" 'BEGIN { exit !(a > 0 && a < 1.1 * b) }'
    result $? "$q with 32 of 128 inputs not seen: $part, without importances $plain"
    err_says 'never saw 32 of 128 inputs of 1 matrix' "$q says so"
    [ "$(error $q nothing)" = "$plain" ]
    result $? "$q with none seen is $q without importances"
done
for q in q4_0 q3_k q6_k iq4_nl; do
    near "$(error $q:zeros=ggml nothing)" 1 1e-6
    result $? "$q:zeros=ggml loses what ggml loses"
done

ok 'some matrices' $RESIDUUM quantize $demo -q q4_0 --imatrix part -o some --force --json
err_says 'part has nothing of' 'those without importances are counted'
err_says 'layers.0.attention.query_key_value.weight' 'and named'
ok 'eval says it too' $RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 257 \
    --context 32 --threads 1 -q q4_0 --imatrix part
err_says 'part has nothing of' 'once'
[ "$(grep -c 'has nothing of' err)" -eq 1 ]
result $? 'and only once'
finish
