#!/bin/sh
# residuum plot: a picture has its name when it is whole, and not before: gnuplots that die, that stop
# in the middle and say nothing, disks that fill, folders that take no files.
. "$srcdir/tests/cli/lib.sh"
RESIDUUM_PLOTS=$srcdir/plots
export RESIDUUM_PLOTS

$RESIDUUM analyze m=synthetic:rows=24,cols=32,noise=1,count=2 -q nf4 -o m.h5 --quiet || exit 99
real=$(command -v gnuplot) || { echo '1..0 # SKIP no gnuplot'; exit 0; }

# A gnuplot that does what $FAKE says with the real one's picture.
mkdir bin
cat >bin/gnuplot <<END
#!/bin/sh
'$real' "\$@" >'$work/whole' 2>'$work/said' || exit
size=\$(wc -c <'$work/whole')
case \$FAKE in
    half) head -c \$((size / 2)) '$work/whole' ;;
    less) head -c \$((size - 4)) '$work/whole' ;;
    hole) head -c \$((size / 3)) '$work/whole'; tail -c \$((size / 3)) '$work/whole' ;;
    more) cat '$work/whole'; echo more ;;
    none) ;;
    fail) head -c \$((size / 2)) '$work/whole'; echo 'no font today' >&2; exit 1 ;;
    mute) exit 1 ;;
    dead) head -c 10 '$work/whole'; kill -9 \$\$ ;;
    fine) cat '$work/whole' ;;
esac
END
chmod +x bin/gnuplot
name=layers-m-effective_rank
draw() { # draw FAKE FORMAT
    fake=$1 format=$2
    shift 2
    env PATH="$work/bin:$PATH" FAKE="$fake" $RESIDUUM plot m.h5 layers -o out.d --format "$format" --quiet
}

ok 'through the fake, a picture as it is' draw fine png
cp out.d/$name.png good.png
for format in png svg pdf; do
    for fake in half less none; do
        rm -rf out.d
        fails 1 "out.d/$name.$format" "$format, $fake, and exit 0" draw $fake $format
        [ -z "$(ls -A out.d)" ]; result $? '... leaves nothing'
    done
done
for format in png pdf; do
    fails 1 "out.d/$name.$format" "$format, a hole in the middle" draw hole $format
done
fails 1 'bytes behind its IEND chunk' 'png, and then some' draw more png
fails 1 'gnuplot failed: no font today' 'gnuplot fails and says why' draw fail svg
fails 1 'it gave no reason' 'gnuplot fails and says nothing' draw mute svg
fails 1 'signal 9' 'gnuplot dies' draw dead svg
# Not through a shell, which may open what is blocked.
if perl=$(command -v perl); then
    mv bin/gnuplot bin/fake
    printf '#!%s\nkill "TERM", $$;\n' "$perl" >bin/gnuplot
    chmod +x bin/gnuplot
    fails 1 'signal 15' 'gnuplot can be stopped' draw fine svg
    mv bin/fake bin/gnuplot
else
    skip 'gnuplot can be stopped' 'no perl'
fi
[ -z "$(ls -A out.d)" ]; result $? 'nothing is left of any'

cp good.png out.d/$name.png
fails 1 'no IEND chunk' 'over an older picture' draw half png
cmp -s good.png out.d/$name.png && [ "$(ls -A out.d)" = $name.png ]
result $? 'which stays'

# --- a disk that is full: no file grows beyond so many blocks ---
full() { # full BLOCKS FORMAT
    (ulimit -f "$1" && $RESIDUUM plot m.h5 layers -o full --format "$2" --quiet)
}
rm -rf full
for format in png svg pdf; do
    fails 1 'File too large' "a full disk, $format" full 16 $format
    [ -z "$(ls -A full)" ]; result $? '... leaves nothing'
done
ok 'and with room enough' full 4096 png

# --- a folder that takes no files ---
fails 1 '/proc/.residuum-plot.tmp' 'a folder where nothing can be made' $RESIDUUM plot m.h5 -o /proc
fails 1 '/dev/null' 'no folder' $RESIDUUM plot m.h5 -o /dev/null/x
mkdir locked && chmod 555 locked
if [ -w locked ]; then
    skip 'a folder without the right to write' 'this user may write everywhere'
else
    fails 1 'locked/.residuum-plot.tmp: cannot write: Permission denied' \
        'a folder without the right to write' $RESIDUUM plot m.h5 -o locked
fi
finish
