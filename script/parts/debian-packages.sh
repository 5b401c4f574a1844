# shellcheck shell=bash
# Programs out of Debian and Ubuntu packages, unpacked into a folder of their own.
# Nothing of the system's package database is read for what is installed, and nothing of it is changed.

# A universe is a set of apt's lists with an empty package database, apart from the system's:
#   own             what this system itself would install from
#   debian:SUITE    Debian's suite of that name, whatever this system is

# os_release NAME: prints a value of /etc/os-release.
os_release() { (
  # shellcheck disable=SC1091
  source /etc/os-release
  echo "${!1:-}"
); }

# debian_mirror: prints the address of a Debian mirror, the one this system uses where it is a Debian.
debian_mirror() {
  local mirror=''
  if [[ $(os_release ID) == debian ]]; then
    mirror=$(one_line_mirror "$(os_release VERSION_CODENAME)")
    [[ -n $mirror ]] || mirror=$(deb822_mirror "$(os_release VERSION_CODENAME)")
  fi
  echo "${mirror:-http://deb.debian.org/debian}"
}

one_line_mirror() {
  { find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -type f -exec cat {} + 2>/dev/null || true; } |
    sed -e 's/#.*//' -e 's/\[[^]]*\]//' |
    awk -v suite="$1" '$1 == "deb" && $2 ~ /^https?:/ && $3 == suite && !found { print $2; found = 1 }'
}

deb822_mirror() {
  { find /etc/apt/sources.list.d -name '*.sources' -type f -exec cat {} \; -exec echo \; 2>/dev/null || true; } |
    awk -v suite="$1" '
      function stanza_ends(  i, n, parts) {
        n = split(suites, parts, " ")
        for (i = 1; i <= n; i++) if (parts[i] == suite && uri ~ /^https?:/ && !found) { print uri; found = 1 }
        suites = ""; uri = ""
      }
      /^#/ { next }
      /^[ \t]*$/ { stanza_ends(); next }
      tolower($1) == "uris:" { uri = $2 }
      tolower($1) == "suites:" { $1 = ""; suites = $0 }
      END { stanza_ends() }'
}

# debian_keyring: prints the keyring that signs Debian's archive; fetched where this system has none.
debian_keyring() {
  local name folder=$CACHE/packages/debian-keyring
  for name in {,"$folder"}/usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [[ -r $name ]]; then
      echo "$name"
      return
    fi
  done
  unpack_packages "$folder" own debian-archive-keyring
  echo "$folder/usr/share/keyrings/debian-archive-keyring.gpg"
}

# universe_sources UNIVERSE FOLDER: writes the lines of apt's configuration that say where packages come from.
universe_sources() {
  local suite keyring mirror
  if [[ $1 == own && $(os_release ID) != debian ]]; then
    printf 'Dir::Etc::sourcelist "/etc/apt/sources.list";\nDir::Etc::sourceparts "/etc/apt/sources.list.d";\n'
    return
  fi
  suite=${1#debian:}
  [[ $suite != own ]] || suite=$(os_release VERSION_CODENAME)
  keyring=$(debian_keyring)
  mirror=$(debian_mirror)
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "${suite:-sid}" >"$2/sources.list"
  printf 'Dir::Etc::sourcelist "%s/sources.list";\nDir::Etc::sourceparts "/dev/null";\n' "$2"
}

# package_universe UNIVERSE: prints the path of an apt configuration whose lists are no older than a day.
package_universe() {
  local folder=$CACHE/packages/${1/:/-} sources
  have apt-get || fail "apt-get is missing: packages come from Debian or Ubuntu. Use such a machine, or start Docker yourself."
  if [[ -n $(find "$folder/updated" -mmin -1440 2>/dev/null) ]]; then
    echo "$folder/apt.conf"
    return
  fi
  rm -rf "$folder"
  mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial"
  : >"$folder/status"
  sources=$(universe_sources "$1" "$folder")
  cat >"$folder/apt.conf" <<CONFIGURATION
Dir::State "$folder/state";
Dir::State::lists "$folder/state/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Cache::archives "$folder/cache/archives";
$sources
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
Acquire::Retries "3";
# A mirror that is weeks behind will do: its lists are signed all the same.
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "$(id -un)";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
CONFIGURATION
  say "fetching the package lists of $1"
  # A third party's source that doesn't answer is no matter as long as the packages are found.
  apt-get -c "$folder/apt.conf" -qq update >"$folder/update.log" 2>&1 ||
    [[ $sources == *'"/etc/apt/sources.list"'* ]] ||
    fail "the package lists of $1 can't be fetched: $(tail -n 1 "$folder/update.log"). Check the network and /etc/apt."
  touch "$folder/updated"
  echo "$folder/apt.conf"
}

# unpack_packages FOLDER UNIVERSE PACKAGE…: fetches packages, without what they depend on, and unpacks them.
unpack_packages() {
  local folder=$1 universe=$2 configuration archives
  shift 2
  configuration=$(with_lock "packages-${universe/:/-}" package_universe "$universe")
  archives=$(mktemp -d "$CACHE/packages/archives.XXXXXX")
  if ! (cd "$archives" && apt-get -c "$configuration" -qq download "$@" >download.log 2>&1); then
    local reason
    reason=$(grep -E '^(E|Err)' "$archives/download.log" | tail -n 1 || true)
    rm -rf "$archives"
    fail "packages can't be fetched from $universe ($*): ${reason:-no reason given}. Check the network and /etc/apt."
  fi
  mkdir -p "$folder"
  find "$archives" -name '*.deb' -print0 | xargs -0 -P 2 -I {} dpkg-deb --extract {} "$folder"
  rm -rf "$archives"
}

# has_package UNIVERSE PACKAGE: whether the universe offers it.
has_package() {
  local configuration
  configuration=$(with_lock "packages-${1/:/-}" package_universe "$1")
  # A name that other packages only mention is known to apt as well, but has no candidate.
  grep -qE '^ +Candidate: [^(]' <<<"$(apt-cache -c "$configuration" policy "$2" 2>/dev/null)"
}

# missing_libraries UNIVERSE PACKAGE…: prints the libraries that the packages need and this system has not installed,
# as apt would add them. Prints none where the system's own packages don't let it say.
missing_libraries() {
  local universe=$1 configuration
  shift
  configuration=$(with_lock "packages-${universe/:/-}" package_universe "$universe")
  apt-get -c "$configuration" -o Dir::State::status=/var/lib/dpkg/status --simulate install "$@" 2>/dev/null |
    sed -nE 's/^Inst (lib[^ ]+) .*/\1/p' | grep -vxF -f <(printf '%s\n' "$@") || true
}

# provide_authorities: on a machine that has no certificate authorities at all, takes those of its distribution.
provide_authorities() {
  local folder=$CACHE/packages/authorities
  [[ ! -r /etc/ssl/certs/ca-certificates.crt && ! -r $CACHE/authorities.pem ]] || return 0
  unpack_packages "$folder" own ca-certificates
  cat "$folder"/usr/share/ca-certificates/mozilla/*.crt >"$CACHE/authorities.pem.part"
  mv "$CACHE/authorities.pem.part" "$CACHE/authorities.pem"
  trust_host_authorities
}
