#!/bin/sh
# residuum analyze --predict: what is said of quantizers without quantizing, and beside it.
. "$srcdir/tests/cli/lib.sh"
d=$srcdir/data/demo
w="--context 64 --max-tokens 1025"
some="--include *layers.[01]*"
mask="$numbers; $machine"

ok 'calibrate' $RESIDUUM calibrate $d --tokens $d/train.tokens.u16 $w $some -o cal.h5 --quiet
shows 'without quantizers' $RESIDUUM analyze $d --predict --calibration cal.h5 -o f.h5
shows 'without data' $RESIDUUM analyze $d --predict -q nf4 -o f.h5
shows 'with a checkpoint' $RESIDUUM analyze $d --predict -q nf4 --calibration cal.h5 --quantized $d -o f.h5
shows 'with draws' $RESIDUUM analyze $d --predict -q nf4 --calibration cal.h5 --nulls sign_flip -o f.h5
[ ! -e f.h5 ]; result $? 'nothing was written'
shows 'matrices without H and G' \
    $RESIDUUM analyze $d --predict -q nf4 --calibration cal.h5 --include '*layers.3*' -o f.h5

shows 'four quantizers, of which one cannot be predicted' \
    $RESIDUUM analyze $d --predict -q nf4,int3:group=64,gptq,nf2 --calibration cal.h5 $some -o f.h5
ok 'in the file' $RESIDUUM export f.h5 prediction
says ',a_priori,' 'as a_priori'
grep a_priori out | grep -q gptq; result $((! $?)) 'without gptq'
cp out predicted
ok 'nothing is quantized' $RESIDUUM inspect f.h5
ok 'every quantizer' $RESIDUUM analyze $d --predict -q all --calibration cal.h5 $some -o all.h5 --quiet
ok 'with its rows' $RESIDUUM export all.h5 prediction
says 'q4_k' 'of llama.cpp too'
ok 'another quantizer joins' $RESIDUUM analyze $d --predict -q q4_0 --calibration cal.h5 $some -o f.h5 --quiet
$RESIDUUM export f.h5 prediction >out
{ grep -q 'nf:bits=4' out && grep -q q4_0 out; }; result $? 'those that are there'
ok 'one thread' $RESIDUUM analyze $d --predict -q nf4 --calibration cal.h5 $some -o one.h5 --threads 1 --quiet
ok 'two threads' $RESIDUUM analyze $d --predict -q nf4 --calibration cal.h5 $some -o two.h5 --threads 2 --quiet
$RESIDUUM export one.h5 prediction >a
$RESIDUUM export two.h5 prediction >b
cmp -s a b; result $? 'say the same'

# ---- beside residuals ----
shows 'of predictions alone' $RESIDUUM compare f.h5 --no-write
ok 'quantized in the end' $RESIDUUM analyze $d -q nf4 --calibration cal.h5 $some -o f.h5 --quiet
$RESIDUUM compare f.h5 --json >out 2>err
result $? 'compared'
sed -n '/"a_priori": \[/,/\]/p' out >ahead
grep -A 9 '"spec": "nf:bits=4' ahead >out
near "$(value held)" "$(value held_quantized)" 0.03
result $? 'share of nf4 at rank 8: within 3 points'
near "$(value loss)" "$(value loss_quantized)" 0.0002
result $? 'its loss too'
$RESIDUUM export f.h5 prediction | grep a_priori | grep 'nf:bits=4' | sort >a
grep a_priori predicted | grep 'nf:bits=4' | sort >b
cmp -s a b; result $? 'analyze itself predicts what --predict does'
finish
