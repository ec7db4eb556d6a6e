# tap.sh PROGRAM: run a test program.  cmocka 1.1 writes a skipped test as "not ok N # SKIP", which
# a TAP reader counts as failed; here it becomes "ok N # SKIP".
output=$("$@")
status=$?
printf '%s\n' "$output" | sed 's/^not ok \(.*# SKIP\)/ok \1/'
exit $status
