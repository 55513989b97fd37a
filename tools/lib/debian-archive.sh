# shellcheck shell=bash
# Downloads from the machine's own Debian archive without installing anything and without touching
# the system's package lists: private lists, private caches, the machine's own mirror.
#
# Sourced by guest-kernel and kvm-host. A caller does:
#     archive_open KEY SUITE...      # suites: release, updates, security, backports, unstable, bullseye
#     archive_update                 # fetch the lists, unless they are fresh
#     archive_get ... / archive_cache ...
# Needs `set -euo pipefail` in the caller.

readonly ARCHIVE_LISTS_FRESH_MINUTES=60
readonly ARCHIVE_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The checkout that these tools lie in, and where everything that they fetch goes.
TIDEVM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TIDEVM_CACHE=${TIDEVM_CACHE:-$TIDEVM_ROOT/.cache}

say() { echo "${0##*/}: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# need COMMAND PACKAGE: complains with the package that brings the command.
need() {
  command -v "$1" >/dev/null 2>&1 ||
    die "'$1' is missing; it comes with the package $2 (ci/install-deps installs everything)"
}

# Runs the rest of this process with an exclusive lock, so that two callers never fetch the same
# thing. The file descriptor stays open (and the lock held) until archive_unlock.
archive_lock() {
  mkdir -p "$TIDEVM_CACHE/locks"
  need flock util-linux
  exec 9>"$TIDEVM_CACHE/locks/$1"
  if ! flock -n 9; then
    say "waiting for another '$1' fetch"
    flock 9
  fi
}

archive_unlock() { exec 9>&-; }

# Prints the codename of this Debian release, e.g. "bookworm".
archive_codename() {
  local id='' codename=''
  if [[ -r /etc/os-release ]]; then
    id=$(. /etc/os-release && echo "${ID:-}")
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  fi
  [[ $id == debian && -n $codename ]] ||
    die "this machine is not a Debian release (found '${id:-unknown}'); run the tools in a Debian 12 container"
  echo "$codename"
}

# Prints "URI|suite|component" for each binary source that apt has. apt itself reads its
# configuration here, so both the one-line and the deb822 form are understood.
archive_machine_sources() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get -o Dir::State::Lists="$1" indextargets --no-release-info \
    --format '$(IDENTIFIER)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' |
    sed -n 's/^Packages|//p' | sort -u
}

# archive_source_line URI SUITE: one stanza of a sources file.
archive_source_line() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
  [[ ! -r $ARCHIVE_KEYRING ]] || printf 'Signed-By: %s\n' "$ARCHIVE_KEYRING"
  printf '\n'
}

# archive_open KEY SUITE...: prepares private lists named KEY over the wanted suites.
archive_open() {
  local key=$1 dir codename main_uri='' sources uri suite wanted
  shift
  need apt-get apt
  need dpkg-deb dpkg
  dir=$TIDEVM_CACHE/apt/$key
  codename=$(archive_codename)
  mkdir -p "$dir"/{lists,archives}/partial "$dir"/{parts,empty}
  sources=$(archive_machine_sources "$dir/lists")
  main_uri=$(awk -F'|' -v c="$codename" '$2 == c || $2 == "stable" { print $1; exit }' <<<"$sources")
  [[ -n $main_uri ]] ||
    die "apt has no source for '$codename' on this machine (see /etc/apt/sources.list.d)"

  for wanted in "$@"; do
    case $wanted in
      release) archive_source_line "$main_uri" "$codename" ;;
      backports) archive_source_line "$main_uri" "$codename-backports" ;;
      bullseye | unstable) archive_source_line "$main_uri" "$wanted" ;;
      updates | security)
        # Only where the machine has it itself; its address is not ours to guess.
        while IFS='|' read -r uri suite _; do
          case $suite in
            "$codename-$wanted" | "$codename-$wanted/"* | "$codename/$wanted" | "stable-$wanted")
              archive_source_line "$uri" "$suite" ;;
          esac
        done < <(awk -F'|' '!seen[$1 $2]++' <<<"$sources")
        ;;
      *) die "internal: unknown suite '$wanted'" ;;
    esac
  done >"$dir/parts/tidevm.sources"

  ARCHIVE_DIR=$dir
  ARCHIVE_OPTIONS=(
    -o "Dir::State::Lists=$dir/lists"
    -o "Dir::State::extended_states=$dir/extended_states"
    -o "Dir::Cache=$dir"
    -o "Dir::Cache::archives=$dir/archives"
    -o "Dir::Cache::pkgcache="
    -o "Dir::Cache::srcpkgcache="
    -o "Dir::Etc::sourcelist=/dev/null"
    -o "Dir::Etc::sourceparts=$dir/parts"
    -o "Dir::Etc::preferences=/dev/null"
    -o "Dir::Etc::preferencesparts=$dir/empty"
    -o "APT::Sandbox::User=$(id -un)"  # the sandbox user may not reach the checkout
    -o "APT::Get::List-Cleanup=false"
    -o "Acquire::Languages=none"
    -o "Acquire::Retries=3"
    -o "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false"
    -o "Debug::NoLocking=true"         # archive_lock is the lock; dpkg's own is not needed
    -o "Dpkg::Use-Pty=0"
  )
  # The unstable index is often past its validity date on mirrors that are snapshots; its signature
  # is checked all the same.
  case " $* " in *" unstable "*) ARCHIVE_OPTIONS+=(-o Acquire::Check-Valid-Until=false) ;; esac
}

# For resolving as if nothing were installed.
archive_ignore_installed() {
  : >"$ARCHIVE_DIR/status"
  ARCHIVE_OPTIONS+=(-o "Dir::State::status=$ARCHIVE_DIR/status")
}

archive_get() { DEBIAN_FRONTEND=noninteractive apt-get "${ARCHIVE_OPTIONS[@]}" "$@"; }
archive_cache() { apt-cache "${ARCHIVE_OPTIONS[@]}" "$@"; }

archive_update() {
  local stamp=$ARCHIVE_DIR/updated
  # A change of the sources asks for new lists too.
  if [[ -n $(find "$stamp" -mmin "-$ARCHIVE_LISTS_FRESH_MINUTES" 2>/dev/null) ]] &&
    cmp -s "$ARCHIVE_DIR/parts/tidevm.sources" "$stamp"; then
    return
  fi
  archive_run "reading the package lists" archive_get -q update
  cp "$ARCHIVE_DIR/parts/tidevm.sources" "$stamp"
}

# archive_run WHAT COMMAND...: silent when it goes well, its output shown when it does not.
archive_run() {
  local what=$1 log
  shift
  say "$what"
  log=$(mktemp "$ARCHIVE_DIR/log.XXXXXX")
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "failed while $what"
  fi
  rm -f "$log"
}
