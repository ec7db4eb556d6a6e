#!/bin/sh
# The embedded model: small enough, whole, and as good and as sensitive as data/README.md says.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
run="$RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 16385 --windows first --precision f32 --json"

within() { near "$(value "$1")" "$2" "$3"; } # KEY MIDDLE RADIUS

total=$(cat $demo/* | wc -c)
[ "$total" -le 4000000 ]; result $? "$total bytes"
ok 'inspected' $RESIDUUM inspect $demo
says 1055488 'its parameters'
ok 'evaluated' $run
within loss 0.73 0.03; result $? "loss $(value loss) nats per token"
ok 'in four bits' $run -q nf4
within loss_increase 0.0035 0.0025; result $? "four bits cost $(value loss_increase)"
ok 'in three bits' $run -q nf3
within loss_increase 0.0165 0.0085; result $? "three bits cost $(value loss_increase)"
ok 'in two bits' $run -q nf2
within loss_increase 0.525 0.125; result $? "two bits cost $(value loss_increase)"
ok 'on text, with its own tokenizer' sh -c \
    "printf 'Once upon a time there was a curious girl named Mia, who lived near the mill.' >t.txt; \
     $RESIDUUM eval $demo --tokens t.txt --context 16 --precision f32 --json"
within loss 1.35 1.15; result $? "loss $(value loss)"
$RESIDUUM eval "$demo" --tokens "$demo/train.tokens.u16" --context 16 --max-tokens 17 >/dev/null 2>err
result $? 'tokens for training'
[ "$(wc -c <"$demo/train.tokens.u16")" -eq 1200002 ]; result $? '600001 of them'
finish
