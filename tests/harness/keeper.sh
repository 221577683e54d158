# Runs a server and outlives nobody: when the harness goes away, on purpose or not, its end of the pipe on standard
# input closes, the server is ended and its scratch directory is removed.
#
# usage: sh keeper.sh LOG SCRATCH PROGRAM [ARGUMENT...]      (SCRATCH may be empty)
# standard output: one line, the process id of the server
# standard input: a line makes the keeper collect the server's exit status, and exit with it
log=$1 scratch=$2
shift 2
exec 3<&0 </dev/null
# A file that can't grow any more is a fault that programs are told of, as on a full disk.
trap '' XFSZ
"$@" 3<&- >>"$log" 2>&1 &
server=$!
echo "$server"
exec >&-

# Until the server has been waited for, its process id can't be given to anybody else.
if read -r _ <&3; then
    wait "$server"
    exit $?
fi

kill -CONT "$server"
kill -TERM "$server"
tries=0
while kill -0 "$server" && [ "$tries" -lt 60 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
kill -KILL "$server"
wait "$server"
[ -z "$scratch" ] || rm -rf -- "$scratch"
