# shellcheck shell=bash
# shellcheck source=script/parts/running.sh
source "$REPOSITORY/script/parts/running.sh"

# A Kubernetes control plane with simulated nodes as processes: started, shared, stopped, and cleaned up after a kill.

RUN=$CACHE/cluster/run

cluster_is_up() { [[ -r $RUN/environment ]] && alive "$RUN/cluster.pid"; }

cluster_status() {
  if ! cluster_is_up; then
    echo 'down'
    return
  fi
  cluster_environment
  echo "up: $SOPHIA_CLUSTER_KIND cluster, Kubernetes $(cluster_kubectl version -o json | sed -n '/"serverVersion"/,/}/ s/.*"gitVersion": "\(.*\)".*/\1/p')"
  cluster_kubectl get nodes --no-headers | sed 's/^/node: /'
  echo "used by:$(living_users | tr '\n' ' ' | sed 's/^/ /')"
}

# cluster_up PID FLEET: has a cluster running and notes who uses it.
cluster_up() {
  local existing=${SOPHIA_CLUSTER_KUBECONFIG:-} wanted=$RUN/cluster/kubeconfig program kubectl
  if [[ -n $existing ]]; then
    [[ -f $existing && -r $existing ]] ||
      fail "SOPHIA_CLUSTER_KUBECONFIG has a wrong value: '$existing', expected a file that can be read. Name one, or unset it."
    wanted=$(realpath "$existing")
  fi
  if cluster_is_up && grep -qxF "KUBECONFIG=$wanted" "$RUN/environment"; then
    add_user "$1"
    return
  fi
  kubectl=$("$REPOSITORY/script/tools" kubectl)
  if [[ -n $existing ]]; then KUBECONFIG=$wanted refuse_used_cluster "$kubectl"; fi
  if cluster_is_up; then
    fail "another cluster is up: $(sed -n 's/^KUBECONFIG=//p' "$RUN/environment"), expected $wanted. Run script/cluster down first."
  fi
  remove_leftovers
  program=$("$REPOSITORY/script/tools" cluster)
  mkdir -p "$RUN"
  # On the command line this path also marks the program as ours.
  cp "$2" "$RUN/fleet.yaml"
  if [[ -n $existing ]]; then
    start_program "$program" kubelets --kubeconfig "$wanted" --fleet "$RUN/fleet.yaml" --remove-nodes
    write_cluster_environment existing "$wanted" "$kubectl"
  else
    start_program "$program" up --folder "$RUN/cluster" --fleet "$RUN/fleet.yaml"
    write_cluster_environment private "$wanted" "$kubectl"
  fi
  add_user "$1"
}

# refuse_used_cluster KUBECTL: ends unless the existing cluster answers and holds nothing but what comes with one.
refuse_used_cluster() {
  local found
  found=$("$1" get --raw /readyz --request-timeout=20s 2>&1) ||
    fail "the cluster of SOPHIA_CLUSTER_KUBECONFIG does not answer: ${found##*$'\n'} Start it, or unset the variable."
  found=$("$1" get namespaces --output=name 2>&1) ||
    fail "the cluster of SOPHIA_CLUSTER_KUBECONFIG can't be listed: ${found##*$'\n'}. Name a kubeconfig of its administrator."
  found=$(grep -vE '^namespace/(default|kube-.*|local-path-storage)$' <<<"$found" || true)
  [[ -n $found ]] || found=$("$1" get pods,deployments,jobs --namespace=default --output=name)
  [[ -z $found ]] ||
    fail "the cluster of SOPHIA_CLUSTER_KUBECONFIG is in use: it has ${found%%$'\n'*}, expected an empty one. Name a cluster made for tests."
}

# start_program PROGRAM ARGUMENT…: runs it beside this script, and waits for the line that says it is ready.
start_program() {
  local line=''
  mkfifo "$RUN/ready"
  setsid "$@" </dev/null >"$RUN/ready" 2>"$RUN/cluster.log" 9>&- &
  echo $! >"$RUN/cluster.pid"
  read -r -t 180 line <"$RUN/ready" || true
  if [[ -z $line ]]; then
    show_log 'the cluster' "$RUN/cluster.log"
    fail "the cluster did not start. Its logs are in $RUN."
  fi
}

# write_cluster_environment KIND KUBECONFIG KUBECTL: notes for `env` by what the cluster is found.
write_cluster_environment() {
  printf 'KUBECONFIG=%s\nSOPHIA_CLUSTER_KIND=%s\nSOPHIA_KUBECTL=%s\n' "$2" "$1" "$3" >"$RUN/environment.part"
  mv "$RUN/environment.part" "$RUN/environment"
}

# cluster_variables: prints NAME=VALUE lines; PATH only where kubectl is not on it.
cluster_variables() {
  local kubectl
  cat "$RUN/environment"
  if ! have kubectl; then
    kubectl=$(sed -n 's/^SOPHIA_KUBECTL=//p' "$RUN/environment")
    printf 'PATH=%s:%s\n' "$PATH" "$(dirname "$kubectl")"
  fi
}

cluster_environment() {
  local line
  while IFS= read -r line; do export "${line?}"; done < <(cluster_variables)
}

cluster_kubectl() { "$SOPHIA_KUBECTL" "$@"; }

# remove_leftovers: ends and removes everything of an earlier run, whatever state that one was left in. The parts end
# with the program that started them, however that ends.
remove_leftovers() {
  [[ -e $RUN ]] || return 0
  if alive "$RUN/cluster.pid"; then end_process "$(cat "$RUN/cluster.pid")" 30; fi
  rm -rf "$RUN"
}
