#!/bin/sh
# Saved adapters: with the base that lies beside them, or that README.md says how to make, they are
# the model that recover measured.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
tokens="--max-tokens 129 --context 32 --precision f32 --threads 1"
eval="$RESIDUUM eval --tokens $demo/eval.tokens.u16 $tokens --json"
run="$RESIDUUM recover $demo --tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16
    --max-eval-tokens 129 --context 32 --precision f32 --threads 1 --batch 2 --steps 2 --rank 2
    --no-control --quiet"

ok 'calibrated' $RESIDUUM calibrate $demo --tokens $demo/train.tokens.u16 --max-tokens 513 --context 32 --threads 1 --quiet -o cal.h5

# whole FOLDER FILE: every run of FILE has its adapters in FOLDER, and what is read back by eval from
# the base that adapter_config.json names, or by README.md's command, has the run's loss.
whole() {
    $RESIDUUM export $2 recovery/runs --format json | grep -v '"kind":"same bytes"' |
        sed -n 's/.*"run":"\([^"]*\)".*"loss_trained":\([0-9.e+-]*\).*/\1 \2/p' >runs
    [ -s runs ]; result $? "$1: there are runs"
    while read -r name loss; do
        folder=$1/$(printf %s "$name" | tr -c 'A-Za-z0-9._-' -)
        if [ -d $folder/base ]; then
            base=$(sed -n 's/.*"base_model_name_or_path": "\(.*\)".*/\1/p' $folder/adapter_config.json)
            [ "$base" -ef $folder/base ] && $eval "$base" --adapter $folder >out 2>err
        else
            grep '^    residuum eval' $folder/README.md | sed "s|residuum|$RESIDUUM|; s|\$| --precision f32 --threads 1 --json|" >command
            sh ./command >out 2>err
        fi
        near "$(value loss)" "$loss" 1e-5
        result $? "$name, $([ -d $folder/base ] && echo 'with its base' || echo 'quantized anew'): $loss"
    done <runs
}

# --- every start, and those whose options move the base ---
starts=$($RESIDUUM list inits | sed -n 's/^\([a-z][a-z0-9_]*\)  .*/\1/p' | paste -sd, | sed 's/caldera/caldera:rounds=2/; s/lqlora/lqlora:steps=3/')
ok 'all starts, on a layer of four' $run --include '*.0.*' -q nf2 --calibration cal.h5 --init $starts,kfac:steps=2,loftq:steps=1,loftq:steps=1,first=svd --save-adapters all -o all.h5
whole all all.h5
for start in loftq-steps-5 qpissa olora corda caldera lqlora kfac-steps-2 loftq-steps-1-first-svd; do
    [ -e "$(ls -d all/*_$start*/base/config.json)" ]; result $? "$start moves the base, which is there"
done
for start in zero gaussian lorc lqer qera_approx qera_exact eora kfac-steps-1 eva; do
    [ -d all/*_${start}_* ] && [ ! -e all/*_${start}_*/base ]; result $? "$start does not, and none is"
done

# --- variants, quantizers, and options that change what is saved ---
ok 'variants' $run -q nf4 --init zero,loftq:steps=2 --variant lora,dora,adalora --save-adapters variants -o variants.h5
whole variants variants.h5
ok 'qalora' $run -q int:bits=3,group=32,scheme=affine --init gaussian,qpissa --variant qalora --save-adapters qalora -o qalora.h5
whole qalora qalora.h5
ok 'other quantizers' $run -q q4_k,hqq,mxfp4,kmeans2,float:format=e4m3 --init lorc,olora --rslora --alpha 8 --save-adapters others -o others.h5
whole others others.h5
ok 'packed, some matrices, by rules' $run --map '*.0.*=nf2' -q nf4 --exclude '*.1.*' --base packed --init zero,qpissa --targets '*dense*' --save-adapters some -o some.h5
whole some some.h5
ok 'a calibrated quantizer' $run -q gptq --calibration cal.h5 --init zero,loftq:steps=2 --save-adapters gptq -o gptq.h5
whole gptq gptq.h5
ok 'one layer after the other' $run -q nf2 --init lorc,zero --sequence 256 --save-adapters line -o line.h5
whole line line.h5
[ -d line/*lorc*/base ] && [ ! -d line/*zero*/base ]; result $? 'moves the base of starts that correct'
ok 'a rate that does harm' $run -q nf2 --init loftq --lr 0.3 --steps 6 --eval-every 1 --save-adapters best -o best.h5
whole best best.h5
[ "$(field best.h5 loftq kept_step)" -lt 6 ]; result $? 'what is saved is the best step, not the last'

# --- --save-base ---
ok 'dense' $run -q nf2 --save-base dense --save-adapters dense -o dense.h5
[ -e dense/*/base/model.safetensors ]; result $? 'is written where the base did not move, too'
whole dense dense.h5
ok 'none' $run -q nf2 --save-base none --save-adapters none
fails 2 '--save-base none: loftq:steps=5,first=quantize moves the base' 'none, but it moves' $run -q nf2 --init zero,loftq --save-base none --save-adapters moved
fails 2 'moves the base' 'also in --dry-run' $run -q nf2 --init olora --save-base none --save-adapters moved --dry-run
fails 2 'with --sequence moves the base' 'none, in sequence' $run -q nf2 --init lorc --sequence 256 --save-base none --save-adapters moved
[ ! -e moved ]; result $? 'nothing was done'
fails 2 'goes with --save-adapters' 'a base without adapters' $run -q nf2 --save-base dense
fails 2 'which no adapter' 'quantization-aware adapters' $run -q nf2 --quantization-aware --save-adapters aware

# --- what is said ---
ok 'done before' $run -q nf2 --no-control -o before.h5
ok 'again, with adapters' $RESIDUUM recover $demo --tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 129 --context 32 --precision f32 --threads 1 --batch 2 --steps 2 --rank 2 --no-control -q nf2 --save-adapters late -o before.h5
err_says '1 run was done before, without adapters; --force' 'is said'
grep -q 'read back from these files' all/*olora*/README.md; result $? 'README.md says both losses'

# --- files that another program has changed in between are not called saved ---
mkdir -p full/demo_nf2_r2_zero_lora_s0
ln -s /dev/full full/demo_nf2_r2_zero_lora_s0/adapter_model.safetensors.tmp
fails 1 'adapter_model.safetensors' 'a disk that is full' $run -q nf2 --save-adapters full
# A name of more bytes than a file system takes.
long=$(printf 'm%.0s' $(seq 300))
ok 'a long name' $RESIDUUM recover $long=$demo --tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 129 --context 32 --threads 1 --steps 1 --rank 2 --no-control -q nf2 --quiet --save-adapters long
[ -e long/mmm*/adapter_config.json ]; result $? 'has a folder of its own'
finish
