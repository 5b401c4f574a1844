# shellcheck shell=bash
# The engine's own network: a bridge, a block of addresses for it and for the networks that users make, and the
# way out. The engine could make these itself, but then it also empties the tables of any other engine here.

# Written while forwarding is on because of us; it goes with a restart of the machine, as forwarding itself does.
FORWARDING_MARK=/run/sophia-actions-forwarding
FORWARDING=/proc/sys/net/ipv4/ip_forward

# busybox_program: prints the path of the unpacked busybox; where /bin is a link, packages have it in /usr/bin.
busybox_program() { find "$REGISTRY_PROGRAMS/bin" "$REGISTRY_PROGRAMS/usr/bin" -name busybox -type f -print -quit 2>/dev/null || true; }

ip_command() { if have ip; then ip "$@"; else "$(busybox_program)" ip "$@"; fi; }

iptables_command() {
  if have iptables; then
    iptables --wait "$@"
  else
    LD_LIBRARY_PATH=$PROGRAMS/usr/lib/x86_64-linux-gnu XTABLES_LIBDIR=$PROGRAMS/usr/lib/x86_64-linux-gnu/xtables \
      "$PROGRAMS/usr/sbin/iptables" --wait "$@"
  fi
}

# add_network: makes the bridge and notes its name and the start of its block (172.30.N, the block being a /20).
add_network() {
  local name third taken
  taken=$(ip_command -4 addr show)
  for ((third = 240; third > 0; third -= 16)); do
    block_is_taken "$third" "$taken" || break
  done
  # Another engine in this network, in a container say, may have the same run folder; a random name is nobody's.
  printf -v name 'soph%04x%04x' "$RANDOM" "$RANDOM"
  echo "$name" >"$RUN/bridge"
  echo "172.30.$third" >"$RUN/block"
  if ! { ip_command link add "$name" type bridge && ip_command addr add "172.30.$third.1/24" dev "$name" &&
    ip_command link set "$name" up; }; then
    fail "the network bridge $name can't be made. Run in a container with the right to administer the network (--privileged)."
  fi
  if open_way_out "172.30.$third.0/20" 2>"$RUN/iptables.log"; then
    echo bridge >"$RUN/network"
  else
    echo host >"$RUN/network"
    say "no way out for containers ($(tail -n 1 "$RUN/iptables.log")): they reach the internet with --network=host only"
  fi
}

# block_is_taken N ADDRESSES: whether an address lies in 172.30.N.0/20.
block_is_taken() {
  local other
  while IFS= read -r other; do
    if [[ $((other / 16)) -eq $(($1 / 16)) ]]; then return 0; fi
  done < <(grep -oE 'inet 172\.30\.[0-9]+' <<<"$2" | cut -d. -f3)
  return 1
}

remove_bridge() {
  ip_command link set "$1" down 2>/dev/null || true
  ip_command link del "$1" 2>/dev/null || true
}

# way_rules ADD-OR-DELETE BLOCK: what lets containers of the block out, and lets in what answers them.
way_rules() {
  iptables_command -t nat "$1" POSTROUTING -s "$2" ! -d "$2" -j MASQUERADE &&
    iptables_command "$1" FORWARD -d "$2" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT &&
    iptables_command "$1" FORWARD -s "$2" -j ACCEPT
}

# A machine that forwarded nothing before goes on to forward nothing else.
open_way_out() {
  way_rules -I "$1" || return 1
  if [[ $(cat "$FORWARDING") == 0 ]]; then
    echo 1 >"$FORWARDING" && iptables_command -A FORWARD -j DROP && : >"$FORWARDING_MARK"
  fi
}

# remove_network: takes back what add_network did, and forwarding with the last of such networks.
remove_network() {
  if [[ -r $RUN/block ]]; then way_rules -D "$(cat "$RUN/block").0/20" 2>/dev/null || true; fi
  if [[ -r $RUN/bridge ]]; then remove_bridge "$(cat "$RUN/bridge")"; fi
  [[ -e $FORWARDING_MARK ]] || return 0
  if ip_command link show 2>/dev/null | grep -qE '^[0-9]+: soph[0-9a-f]{8}[:@]'; then return 0; fi
  iptables_command -D FORWARD -j DROP 2>/dev/null || true
  ip_command link show docker0 >/dev/null 2>&1 || echo 0 >"$FORWARDING"
  rm -f "$FORWARDING_MARK"
}
