#!/bin/sh
# residuum pretrain: what it leaves, what it refuses, and that killing it changes nothing.
. "$srcdir/tests/cli/lib.sh"
config=$srcdir/tests/golden/transformers/gpt_neox/config.json
run="$RESIDUUM pretrain"
mask="s/[a-z_0-9]*, .* have/ARCHITECTURES have/"

learnable 2001 t.u16 # 250 windows of 8
head -c 402 t.u16 >e.u16
common="--tokens t.u16 --context 8 --batch 4 --threads 1 --warmup 5 --lr 0.01 --seed 3"

ok 'forty steps' $run $config $common --eval-tokens e.u16 --eval-every 10 --checkpoint-every 7 --steps 40 -o whole --json
[ "$(value steps)" = 40 ] && [ "$(value tokens)" = 1280.0 ]; result $? 'of 32 tokens each'
awk -v a="$(value eval_loss)" 'BEGIN { exit !(a > 0 && a < 2.94) }'; result $? 'which is better than chance, ln 19'
cmp -s whole/config.json $config; result $? 'the configuration is kept'
for m in whole whole/best whole/initial; do
    ok "$m is a model" $RESIDUUM eval $m --tokens e.u16 --context 8 --json --threads 1 --precision f32
    loss="${loss-} $(value loss)"
done
set -- $loss
awk -v last="$1" -v best="$2" -v initial="$3" 'BEGIN { exit !(best <= last && last < initial - 0.1) }'
result $? 'best <= last < initial'
ok 'the same again' $run $config $common --eval-tokens e.u16 --eval-every 10 --steps 40 -o whole --json
[ "$(value steps)" = 40 ]; result $? 'it was done before'
ok 'another time' $run $config $common --steps 40 -o twin
cmp -s whole/model.safetensors twin/model.safetensors; result $? 'the same model, evaluated or not'
ok 'blocks run again on the way back' $run $config $common --steps 40 -o again --checkpoint-activations
cmp -s again/model.safetensors twin/model.safetensors; result $? 'the same model in less memory'
ok 'another seed' $run $config $common --steps 40 -o other --seed 4
cmp -s whole/model.safetensors other/model.safetensors; [ $? -eq 1 ]; result $? 'another model'
ok 'stored in float16' $run $config $common --steps 40 -o half --store f16
cmp -s half/training.safetensors twin/training.safetensors; result $? 'the training is the same'
[ $(($(wc -c <half/model.safetensors) * 3)) -lt $(($(wc -c <twin/model.safetensors) * 2)) ]
result $? 'and the file smaller'

# Killed without warning as soon as there is a checkpoint, again and again: the same bytes.
long="$config $common --steps 6000 --checkpoint-every 150 --eval-tokens e.u16 --eval-every 1500"
ok 'uninterrupted' $run $long -o steady
for kill in 1 2 3; do
    begin training.safetensors killed $run $long -o killed
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
done
[ -f killed/training.safetensors ]; result $? 'killed three times'
ok 'and finished' $run $long -o killed
cmp -s killed/training.safetensors steady/training.safetensors; result $? 'the state is the same'
cmp -s killed/model.safetensors steady/model.safetensors; result $? 'the model is the same'
cmp -s killed/best/model.safetensors steady/best/model.safetensors; result $? 'the best is the same'

# Ctrl-C keeps the last whole step; sh ignores SIGINT in the background, so SIGTERM.
$run $config $common --steps 1000000 --checkpoint-every 1000000 -o stopped -vv >out 2>err &
pid=$!
await grep -q '^step 3,' err
kill -TERM $pid
wait $pid
[ $? -eq 143 ]; result $? 'stopped: exit status 143'
[ -f stopped/training.safetensors ] && [ -f stopped/model.safetensors ]; result $? 'with a checkpoint'
ok 'which is a model' $RESIDUUM eval stopped --tokens e.u16 --context 8 --threads 1

shows 'no tokens' $run $config -o x
shows 'no folder' $run $config $common
shows 'evaluation of nothing' $run $config $common --eval-every 5 -o x
shows 'a floor above the peak' $run $config $common --min-lr 1 -o x
shows 'a context beyond the model' $run $config --tokens t.u16 --context 33 -o x
head -c 16 t.u16 >short.u16
shows 'too few tokens' $run $config --tokens short.u16 --context 8 -o x
shows 'too few to evaluate on' $run $config $common --eval-tokens short.u16 -o x
shows 'other options' $run $config $common --steps 41 -o twin
shows 'another seed' $run $config $common --steps 40 --seed 4 -o twin
sed 's/"layer_norm_eps": 1e-05/"layer_norm_eps": 1e-06/' $config >eps.json
shows 'another configuration' $run eps.json $common --steps 40 -o twin
cmp -s whole/model.safetensors twin/model.safetensors && cmp -s twin/config.json $config
result $? 'and nothing was touched'
ok 'unless forced' $run eps.json $common --steps 40 -o twin --force
cmp -s twin/config.json eps.json; result $? 'then it is replaced'
mkdir foreign && cp "$srcdir/tests/golden/transformers/gpt2/"*.safetensors foreign
shows "a model from elsewhere" $run $config $common -o foreign
echo '{"model_type":"mamba"}' >m.json
shows 'an unknown architecture' $run m.json $common -o x
printf '\377\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >bad.u16
shows 'a token outside the vocabulary' $run $config --tokens bad.u16 --batch 2 --context 4 -o y
shows 'no configuration' $run missing.json $common -o x
[ ! -e x ]; result $? 'what was refused left nothing'

# --- a write that fails: exit 1 with the path, and the same command again makes it good ---
short="$run $config $common --eval-tokens e.u16 --steps 4"
for file in training.safetensors model.safetensors best/model.safetensors config.json; do
    rm -rf full
    mkdir -p full/best
    ln -s /dev/full full/$file.tmp
    shows "a disk that is full: $file" $short -o full
    ok 'the same again' $short -o full
    cmp -s full/training.safetensors short/training.safetensors 2>/dev/null || cp -r full short
    cmp -s full/model.safetensors short/model.safetensors && cmp -s full/best/model.safetensors short/best/model.safetensors
    result $? 'is whole'
done
rm full/model.safetensors
ok 'the model was lost' $short -o full
cmp -s full/model.safetensors short/model.safetensors; result $? 'it follows from the state'
mkdir blocked
: >blocked/best
shows 'a file where a folder is to be' $short -o blocked
[ ! -e blocked/training.safetensors ]; result $? 'and it is not done'
(
    ulimit -f 40
    $short -o limited >out 2>err
)
[ $? -eq 1 ] && grep -q 'limited/.*: cannot write' err; result $? 'files that may not be that long'
ok 'with room' $short -o limited
cmp -s limited/model.safetensors short/model.safetensors; result $? 'it is whole'
finish
