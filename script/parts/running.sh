# shellcheck shell=bash
# What scripts share that keep something running: who uses it, whether a process still is ours, how it is ended.
# $RUN is the folder of what runs; a process is ours when that folder's path is on its command line.

# enough_space FOLDER MB
enough_space() {
  local free
  mkdir -p "$1"
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  [[ $free -ge $2 ]] || fail "not enough disk space in $1: $free MB free, expected $2 MB. Free some, or set SOPHIA_CACHE to another disk."
}

# alive PIDFILE: whether the process written there still is the one that was started from this run folder.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ -n $pid && -r /proc/$pid/cmdline ]] && grep -qaF "$RUN/" "/proc/$pid/cmdline"
}

# A process id comes back for another process some day; with the time of its start it does not.
process_started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# living_users: prints the processes that hold the engine, and `kept` where it was started to stay.
living_users() {
  local file pid
  for file in "$RUN"/users/*; do
    [[ -e $file ]] || continue
    pid=$(basename "$file")
    if [[ $pid == kept || $(process_started "$pid") == "$(cat "$file")" ]]; then echo "$pid"; else rm -f "$file"; fi
  done
}

add_user() {
  mkdir -p "$RUN/users"
  if [[ -n $1 ]]; then process_started "$1" >"$RUN/users/$1"; else : >"$RUN/users/kept"; fi
}

# end_process PID SECONDS: asks the process to end, and makes it end when it has not done so by then.
end_process() {
  local tries=$(($2 * 10))
  kill -TERM "$1" 2>/dev/null || return 0
  # One that has ended and whom nobody has asked how, as in a container without an init, has an empty command line.
  while { grep -q . "/proc/$1/cmdline"; } 2>/dev/null && [[ $tries -gt 0 ]]; do
    sleep 0.1
    tries=$((tries - 1))
  done
  kill -KILL "$1" 2>/dev/null || true
}

# show_log TITLE FILE: the end of a daemon's log, which is where it says why it did not start.
show_log() {
  printf -- '--- the end of the log of %s ---\n' "$1" >&2
  tail -n 15 "$2" >&2 || true
}

# print_variables FORMAT quoted|raw: prints the NAME=VALUE lines of standard input by a format of printf.
print_variables() {
  local line value
  while IFS= read -r line; do
    value=${line#*=}
    [[ $2 == raw ]] || printf -v value '%q' "$value"
    # shellcheck disable=SC2059 # The format is the argument.
    printf "$1" "${line%%=*}" "$value"
  done
}

# let_go PID FORCE: lets go of what runs in $RUN, and stops it by remove_leftovers when nobody else holds it.
let_go() {
  local users
  rm -f "$RUN/users/${1:-kept}"
  users=$(living_users)
  if [[ -n $users && $2 != true ]]; then
    users=${users/kept/an up without --for}
    say "left running, still used by ${users//$'\n'/, } (--force stops it)"
    return
  fi
  remove_leftovers
  say 'stopped'
}
