#!/bin/sh
# What checkpoints store beside their weights, and how: scales, zero points, orientation, tied heads.
# The values are those of NumPy, bitsandbytes and transformers on the same files.
. "$srcdir/tests/cli/lib.sh"
stored=$srcdir/tests/golden/stored
faults=$shared/faults

# sigma FILE TENSOR VALUE: the largest singular value of that matrix.
sigma() {
    ok "$1: analyzed" $RESIDUUM analyze "$1" -q int8 --control 0 --nulls none --quiet -o s.h5 --force
    $RESIDUUM export s.h5 curves >curves
    near "$(awk -F, -v t="$2" '$2 == t && $6 == "W" && $7 == 1 { print $8 }' curves)" "$3" 1e-6
    result $? "$2: the largest singular value is $3"
}
sigma $stored/f8bare/shard.safetensors model.layers.0.self_attn.q_proj.weight 0.44876092
sigma $stored/gqconv_c_attn192 transformer.h.0.attn.c_attn.weight 21.10677286
sigma $stored/gqv2 model.layers.0.self_attn.q_proj.weight 15.58421543
sigma $stored/gqidx model.layers.0.self_attn.q_proj.weight 15.38661291
fails 1 'bitsandbytes (without its quant_state)' 'a state under another name' \
    $RESIDUUM inspect $stored/crash-bnb

# A quantized GPT-2 written as numbers lies as GPT-2's checkpoints do, and is the same matrix again.
ok 'a Conv1D in four bits, written' $RESIDUUM quantize $stored/gqconv_c_attn192 \
    -q lowrank:rank=full,store=f32 -o turned
sigma turned transformer.h.0.attn.c_attn.weight 21.10677286
ok 'looked at' $RESIDUUM inspect turned
says '192 x 64' 'outputs x inputs'

# The model_max_length that transformers writes where there is none: 10^30.
cp -r "$srcdir/tests/golden/transformers/llama" big
cp $stored/configs/big/tokenizer_config.json big
ok 'a tokenizer without a limit, as GGUF' $RESIDUUM quantize big -q fp16 -o big.gguf

# Configurations as they are published, beside weights of their sizes.
weights() { # weights NAME TYPE: the configuration of that name over the weights of the tiny model
    mkdir -p $1
    cp $stored/configs/$1/config.json $1
    [ ! -f $faults/tie_flag_differs/model.safetensors ] ||
        cp $faults/tie_flag_differs/model.safetensors $1
}
if [ -d "$faults" ]; then
    loss() { # loss NAME FOLDER VALUE
        ok "$1 runs" $RESIDUUM eval $2 --tokens $faults/tie_flag_differs/t.u16 --context 32 \
            --precision f32 --json
        near "$(value loss)" "$3" 2e-5; result $? "$1: the loss is $3"
    }
    for c in smol inf; do
        weights $c
        loss "configs/$c" $c 5.51420
    done
    loss tie_flag_differs $faults/tie_flag_differs 5.51420
    fails 1 'is_causal is false, not true' 'a model that looks ahead' $RESIDUUM eval \
        $faults/causal_false --tokens $faults/causal_false/t.u16 --context 32
    for m in f8eval:5.51692 bnb_gpt2_nf4:5.48981 bnbshard_nf4:5.60550; do
        ok "$m runs" $RESIDUUM eval $faults/${m%:*} --tokens $faults/${m%:*}/t.u16 --context 32 \
            --precision f32 --json
        near "$(value loss)" "${m#*:}" 2e-5; result $? "${m%:*}: the loss is ${m#*:}"
    done
    sigma $faults/bnb_gpt2_nf4 transformer.h.0.attn.c_attn.weight 3.13217505
    sigma $faults/bnb_gpt2_nf4 transformer.h.0.attn.c_proj.weight 2.28702486
else
    skip faults 'the larger inputs are not here'
fi
finish
