#!/bin/sh
# What is typed wrong: the message says what was probably meant, before any work is done.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
tokens="--tokens $demo/eval.tokens.u16 --max-tokens 129 --context 32"
recover="$RESIDUUM recover $demo $tokens --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 129 --batch 2 --steps 1"

# --- commands ---
for word in anaylze analyse analize; do
    shows "$word" $RESIDUUM $word
done
shows 'quantise' $RESIDUUM quantise
for word in -V version --version; do
    ok "$word" $RESIDUUM $word
    says 'residuum 0' 'is the version'
done
ok 'help of a command' $RESIDUUM help recover
says 'usage: residuum recover' 'is its --help'
shows 'help of a command that is misspelt' $RESIDUUM help recovr
ok 'capitals' $RESIDUUM Inspect $demo

# --- options ---
shows '--quantiser' $RESIDUUM eval $demo $tokens --quantiser nf4
shows '--rnak=4' $recover -q nf4 --rnak=4
shows 'nothing is near' $recover --frobnicate 3
shows 'an abbreviation of two' $recover --max 3
shows 'a value for a flag' $RESIDUUM eval $demo $tokens --json=yes
shows 'steps below one' $RESIDUUM pretrain $demo --tokens x -o y --steps -5
shows 'threads below none' $RESIDUUM eval $demo --threads -3
shows 'threads above all' $RESIDUUM eval $demo --threads 9999
ok 'memory with a unit' $RESIDUUM analyze synthetic:rows=8,cols=8,noise=1 --memory 4GB --nulls none --quiet -o mem.h5
ok 'and another' $RESIDUUM analyze synthetic:rows=8,cols=8,noise=1 --memory 512m --nulls none --quiet --force -o mem.h5
shows 'and one that is none' $RESIDUUM analyze synthetic:noise=1 --memory 4X -o x.h5
shows 'a word for a number' $RESIDUUM eval $demo --threads two
shows 'a word that is misspelt' $RESIDUUM eval $demo $tokens --precision bf61
ok 'a word with capitals' $RESIDUUM eval $demo $tokens --precision F32

# --- quantizers, starts, variants ---
shows 'nf5' $RESIDUUM eval $demo $tokens -q nf5
shows 'nf5 in a rule' $RESIDUUM eval $demo $tokens --map '*=nf5'
shows 'Q4_K_M' $RESIDUUM eval $demo $tokens -q Q4_K_M
ok 'NF4' $RESIDUUM eval $demo $tokens -q NF4 --json
cp out capitals
ok 'nf4' $RESIDUUM eval $demo $tokens -q nf4 --json
cp out small
ok 'are one' cmp small capitals
shows 'commas part quantizers, and keys' $recover -q nf4,int:bits=3,group=32,nf2 --no-control --dry-run
shows 'where one is meant, two are too many' $RESIDUUM eval $demo $tokens -q nf4,nf2
shows 'a start that is misspelt' $recover -q nf4 --init loftk
ok 'a start with capitals' $recover -q nf4 --init LoftQ --dry-run
shows 'a variant that is misspelt' $recover -q nf4 --variant dorra

# --- ranks ---
shows 'a rank that no layer takes' $recover -q nf4 --rank 1000,128 --no-control --dry-run
shows 'beside one that they take' $recover -q nf4 --rank 5,200 --targets '*.weight' --no-control --dry-run

# --- what matches nothing ---
shows 'a part of a name' $RESIDUUM analyze $demo -q nf4 --include query_key_value -o x.h5
for command in "analyze $demo -o x.h5" "eval $demo $tokens" "quantize $demo -o folder"; do
    shows "--map of nothing: ${command%% *}" $RESIDUUM $command --map 'foo*=nf4'
    shows "--include of nothing: ${command%% *}" $RESIDUUM $command -q nf4 --include 'foo*'
done
shows '--include of nothing: calibrate' $RESIDUUM calibrate $demo $tokens -o x.h5 --include 'foo*'
shows '--map of nothing: recover' $recover --map 'foo*=nf4' --dry-run
shows '--targets of nothing' $recover -q nf4 --targets attention --dry-run
shows '--targets that are no part of a name' $recover -q nf4 --targets 'foo*'
[ ! -e x.h5 ] && [ ! -e folder ]; result $? 'nothing was written'

# --- what needs a calibration ---
for command in "analyze $demo -o x.h5" "eval $demo $tokens" "quantize $demo -o folder"; do
    shows "gptq without a calibration: ${command%% *}" $RESIDUUM $command -q gptq
done
shows 'and in a rule' $RESIDUUM analyze $demo -o x.h5 --map '*=gptq'
shows 'gptq without a calibration: recover' $recover -q gptq --dry-run
shows 'a start without one' $recover -q nf4 --init kfac
shows 'and in --dry-run' $recover -q nf4 --init zero,kfac --dry-run
finish
