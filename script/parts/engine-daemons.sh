# shellcheck shell=bash
# shellcheck source=script/parts/running.sh
source "$REPOSITORY/script/parts/running.sh"

# The engine and the registry as processes: found, started, shared, stopped, and cleaned up after a kill.

ENGINE=$CACHE/engine

# Raise the numbers with any change to what is unpacked.
PROGRAMS=$ENGINE/programs-2
REGISTRY_PROGRAMS=$ENGINE/registry-1
DATA=$ENGINE/data

# The path of a socket may not be longer than 107 bytes, and the engine's deepest has 43 below this folder.
RUN=$ENGINE/run
if [[ ${#RUN} -gt 60 ]]; then
  RUN=/tmp/sophia-engine-$(sha256sum <<<"$ENGINE" | cut -c1-12)
fi

# install_registry: the registry, and the busybox that is the smallest base image; needed beside any engine.
install_registry() {
  [[ ! -e $REGISTRY_PROGRAMS ]] || return 0
  require_amd64 'a registry'
  local work=$REGISTRY_PROGRAMS.part
  rm -rf "$work"
  say 'fetching the registry (6 MB)'
  unpack_packages "$work" own docker-registry busybox-static
  runs_here "$work" docker-registry ||
    fail "docker-registry from the packages of $(os_release PRETTY_NAME) does not run here. Use Debian 12 or later, or Ubuntu 22.04 or later."
  mv "$work" "$REGISTRY_PROGRAMS"
}

# install_engine: Debian's unstable suite has the newest engine and still asks for no more than glibc 2.34; its runc
# asks for more, so that comes from the system's own suite. Ubuntu has all of them in one place.
install_engine() {
  [[ ! -e $PROGRAMS ]] || return 0
  require_amd64 'Docker with buildx'
  local work=$PROGRAMS.part suite program
  local packages=(runc libseccomp2 tini iptables libxtables12 libip4tc2 libip6tc2 libnftnl11 libmnl0
    libnetfilter-conntrack3 libnfnetlink0)
  rm -rf "$work"
  enough_space "$ENGINE" 2000
  if [[ $(os_release ID) == debian ]]; then
    unpack_packages "$work" own "${packages[@]}"
    for suite in sid trixie; do
      say "fetching the engine from Debian $suite (70 MB)"
      unpack_packages "$work" "debian:$suite" docker.io docker-buildx containerd docker-cli
      if runs_here "$work" dockerd && runs_here "$work" containerd && runs_here "$work" docker; then break; fi
      say "the engine of Debian $suite does not run on this system"
    done
  else
    say "fetching the engine from $(os_release PRETTY_NAME) (80 MB)"
    packages+=(docker.io docker-buildx containerd)
    # Some releases have the client in a package of its own.
    if has_package own docker-cli; then packages+=(docker-cli); fi
    mapfile -t -O "${#packages[@]}" packages < <(missing_libraries own "${packages[@]}")
    unpack_packages "$work" own "${packages[@]}"
  fi
  for program in dockerd containerd runc docker; do
    runs_here "$work" "$program" ||
      fail "$program from the packages of $(os_release PRETTY_NAME) does not run here. Install and start Docker yourself."
  done
  [[ -e $work/usr/bin/docker-init ]] || ln -s tini-static "$work/usr/bin/docker-init"
  ln -sf xtables-nft-multi "$work/usr/sbin/iptables"
  ln -sf xtables-nft-multi "$work/usr/sbin/ip6tables"
  mv "$work" "$PROGRAMS"
}

runs_here() {
  PATH="$1/usr/bin:$1/usr/sbin:$1/bin:$1/sbin" LD_LIBRARY_PATH="$1/usr/lib/x86_64-linux-gnu" "$2" --version >/dev/null 2>&1
}

# --- what is running -------------------------------------------------------------------------------------------

# engine_is_up: whether `up` has been run and what it started still answers.
engine_is_up() {
  [[ -r $RUN/environment ]] && alive "$RUN/registry.pid" || return 1
  if [[ $(cat "$RUN/kind") == private ]]; then
    alive "$RUN/docker.pid" && [[ -S $RUN/docker.sock ]]
  fi
}

# system_engine_answers: whether the machine has an engine of its own, with buildx. Ours is not one.
system_engine_answers() {
  have docker || return 1
  [[ ${DOCKER_HOST:-} != "unix://$RUN/docker.sock" ]] || unset DOCKER_HOST DOCKER_CONFIG
  timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 && timeout 20 docker buildx version >/dev/null 2>&1
}

engine_status() {
  if ! engine_is_up; then
    echo 'down'
    return
  fi
  engine_environment
  echo "up: $SOPHIA_ENGINE_KIND engine $(docker version --format '{{.Server.Version}}'), $(docker buildx version | cut -d' ' -f2), registry $SOPHIA_TEST_REGISTRY"
  echo "store: $(store_kind)"
  echo "used by:$(living_users | tr '\n' ' ' | sed 's/^/ /')"
}

# store_kind: prints containerd or classic, the engine's image store. The classic one has no registry cache export.
store_kind() {
  if docker info --format '{{json .DriverStatus}}' 2>/dev/null | grep -q io.containerd.snapshotter; then echo containerd; else echo classic; fi
}

# --- up and down -----------------------------------------------------------------------------------------------

# engine_up PID: has an engine and a registry running and notes who uses them.
engine_up() {
  local choice=${SOPHIA_ENGINE:-auto} kind
  case $choice in
    auto | private) ;;
    none) fail 'no engine: SOPHIA_ENGINE is none. Unset it, or start Docker and set it to auto.' ;;
    *) fail "SOPHIA_ENGINE has a wrong value: '$choice', expected auto, private or none. Correct it or unset it." ;;
  esac
  if engine_is_up; then
    add_user "$1"
    return
  fi
  remove_leftovers
  if [[ $choice == auto ]] && system_engine_answers; then
    kind=system
  else
    kind=private
    [[ $(id -u) == 0 ]] ||
      fail "no Docker engine answers and only root can start one (user $(id -un)). Start Docker, or run this as root."
  fi
  install_registry
  [[ $kind == system ]] || install_engine
  mkdir -p "$RUN"
  echo "$kind" >"$RUN/kind"
  start_registry
  if [[ $kind == private ]]; then start_engine; fi
  write_environment "$kind"
  add_user "$1"
}

# our_processes: prints the processes started from this run folder, and those inside its containers, whose root
# is mounted from the engine's data folder.
our_processes() {
  local folder
  for folder in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$folder/cmdline" |
      grep -qE "(dockerd|containerd|containerd-shim-runc-v2|docker-proxy|docker-registry) .*$RUN/"; then
      echo "${folder#/proc/}"
    elif awk -v data="$DATA/" '$5 == "/" && index($0, data) { found = 1 } END { exit !found }' "$folder/mountinfo" 2>/dev/null; then
      echo "${folder#/proc/}"
    fi
  done 2>/dev/null
}

# remove_leftovers: ends and removes everything of an earlier run, whatever state that one was left in.
remove_leftovers() {
  local pid mounted
  [[ -e $RUN || -e $DATA ]] || return 0
  if alive "$RUN/docker.pid"; then end_process "$(cat "$RUN/docker.pid")" 15; fi
  # Nothing that these hold outlives the folders, so they need no time to end in good order.
  for pid in $(our_processes); do kill -KILL "$pid" 2>/dev/null || true; done
  while IFS= read -r mounted; do
    umount --lazy "$mounted" 2>/dev/null || true
  done < <(cut -d' ' -f2 /proc/self/mounts | while IFS= read -r line; do printf '%b\n' "$line"; done |
    awk -v run="$RUN" -v data="$DATA" 'index($0 "/", run "/") == 1 || index($0 "/", data "/") == 1' | sort -r)
  remove_network
  # Taking away gigabytes of small files takes a while, which nobody has to wait for.
  [[ ! -e $DATA ]] || mv "$DATA" "$ENGINE/removed.$$.$RANDOM"
  rm -rf "$RUN"
  setsid rm -rf "$ENGINE"/removed.* </dev/null >/dev/null 2>&1 9>&- &
}

# --- registry --------------------------------------------------------------------------------------------------

# port_answers PORT: whether something listens there on the loopback.
port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# serve_registry NAME ROOT: starts a registry over that folder on a free port and prints the port.
# The process id goes to $RUN/NAME.pid.
serve_registry() {
  local name=$1 root=$2 port try wait
  mkdir -p "$root"
  for try in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if port_answers "$port"; then continue; fi
    cat >"$RUN/$name.yml" <<CONFIGURATION
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: "$root" }
  delete: { enabled: true }
http: { addr: "127.0.0.1:$port" }
CONFIGURATION
    setsid "$REGISTRY_PROGRAMS/usr/bin/docker-registry" serve "$RUN/$name.yml" </dev/null >"$RUN/$name.log" 2>&1 9>&- &
    echo $! >"$RUN/$name.pid"
    for ((wait = 0; wait < 100; wait++)); do
      kill -0 "$!" 2>/dev/null || break
      if port_answers "$port"; then
        echo "$port"
        return
      fi
      sleep 0.1
    done
    say "the registry did not start on port $port (try $try)"
  done
  show_log 'the registry' "$RUN/$name.log"
  fail "the registry did not start. Its log is $RUN/$name.log."
}

start_registry() {
  copy_image_store
  serve_registry registry "$RUN/registry" >"$RUN/registry.port"
}

# --- engine ----------------------------------------------------------------------------------------------------

# storage_driver: prints the snapshotter to use: overlayfs does not work upon itself, as in a container.
storage_driver() {
  local probe=$DATA/probe driver=native
  mkdir -p "$probe/lower" "$probe/upper" "$probe/work" "$probe/merged"
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"
    driver=overlayfs
  fi
  rm -rf "$probe"
  echo "$driver"
}

start_engine() {
  local wait driver plugins=$RUN/config/cli-plugins
  enough_space "$ENGINE" 4000
  mkdir -p "$DATA" "$plugins"
  ln -s "$(find "$PROGRAMS/usr/libexec" "$PROGRAMS/usr/lib" -name docker-buildx -path '*/cli-plugins/*' -print -quit 2>/dev/null)" "$plugins/docker-buildx"
  echo '{}' >"$RUN/config/config.json"
  add_network
  driver=$(storage_driver)
  [[ $driver == overlayfs ]] || say "no overlay file system on $DATA: images are copied whole, which is slow"
  cat >"$RUN/daemon.json" <<CONFIGURATION
{
  "features": { "containerd-snapshotter": true },
  "storage-driver": "$driver",
  "registry-mirrors": ["http://127.0.0.1:$(cat "$RUN/registry.port")"],
  "bridge": "$(cat "$RUN/bridge")",
  "dns-opts": ["timeout:1", "attempts:6"],
  "default-address-pools": [{ "base": "$(cat "$RUN/block").0/20", "size": 24 }],
  "iptables": false,
  "ip6tables": false,
  "ip-forward": false,
  "ip-masq": false,
  "log-level": "warn"
}
CONFIGURATION
  PATH="$PROGRAMS/usr/bin:$PROGRAMS/usr/sbin:$PATH" LD_LIBRARY_PATH="$PROGRAMS/usr/lib/x86_64-linux-gnu" \
    XTABLES_LIBDIR="$PROGRAMS/usr/lib/x86_64-linux-gnu/xtables" \
    setsid dockerd --config-file "$RUN/daemon.json" --data-root "$DATA" --exec-root "$RUN/x" \
    --pidfile "$RUN/docker.pid" --host "unix://$RUN/docker.sock" </dev/null >"$RUN/dockerd.log" 2>&1 9>&- &
  local pid=$!
  for ((wait = 0; wait < 600; wait++)); do
    if [[ -S $RUN/docker.sock ]] && our_docker version >/dev/null 2>&1; then return; fi
    [[ -e /proc/$pid ]] || break
    sleep 0.1
  done
  show_log 'the engine' "$RUN/dockerd.log"
  fail "the engine did not start. Its whole log is $RUN/dockerd.log; a container needs --privileged for it."
}

# our_docker: the docker client upon the engine that is being started.
our_docker() {
  DOCKER_HOST=unix://$RUN/docker.sock DOCKER_CONFIG=$RUN/config PATH="$PATH:$PROGRAMS/usr/bin" docker "$@"
}

# --- environment -----------------------------------------------------------------------------------------------

# write_environment KIND: notes for `env` what is not in the caller's environment already.
write_environment() {
  {
    printf 'SOPHIA_TEST_REGISTRY=localhost:%s\n' "$(cat "$RUN/registry.port")"
    printf 'SOPHIA_ENGINE_KIND=%s\n' "$1"
    if [[ $1 == system ]]; then
      printf 'SOPHIA_ENGINE_NETWORK=bridge\n'
    else
      printf 'SOPHIA_ENGINE_NETWORK=%s\n' "$(cat "$RUN/network")"
      printf 'DOCKER_HOST=unix://%s\nDOCKER_CONFIG=%s\n' "$RUN/docker.sock" "$RUN/config"
    fi
  } >"$RUN/environment.part"
  mv "$RUN/environment.part" "$RUN/environment"
}

# engine_variables: prints NAME=VALUE lines; PATH only where the docker client is not on it.
engine_variables() {
  cat "$RUN/environment"
  printf 'SOPHIA_REGISTRY_PROGRAM=%s\n' "$REGISTRY_PROGRAMS/usr/bin/docker-registry"
  if ! have docker; then printf 'PATH=%s:%s\n' "$PATH" "$PROGRAMS/usr/bin"; fi
}

engine_environment() {
  local line
  while IFS= read -r line; do export "${line?}"; done < <(engine_variables)
}

# print_environment FORMAT quoted|raw
print_environment() { engine_variables | print_variables "$@"; }
