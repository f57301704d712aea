# shellcheck shell=bash
# A private apt that reads other suites of this machine's Debian archive, without touching the system's apt, its lists
# or its packages. To be sourced.
#
# private_apt FOLDER SUITE...   creates it in FOLDER (empty) and sets APT, the options for apt-get and apt-cache.
#                               APT_TYPES=deb-src: for source packages.
# apt_unpack DEST PACKAGE[=VERSION]...   downloads exactly these packages (no dependencies) and unpacks
#                                        them into DEST. Uses APT.

private_apt() {
  local folder=$1 suites
  shift
  suites=$*
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  : > "$folder/status"
  # The lists of archived suites have expired; their signatures are still verified.
  APT=(-o Acquire::Check-Valid-Until=false
    -o "Dir::Etc::sourcelist=$folder/archive.sources" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$folder/lists" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache"
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false)
  apt_archive "$suites" > "$folder/archive.sources"
  if [ ! -s "$folder/archive.sources" ]; then
    echo "private-apt: found no Debian archive in this machine's apt sources" >&2
    return 1
  fi
  apt-get "${APT[@]}" -qq update >&2
}

# The system's Debian archive, with the given suites in place of its own. Newer machines name it in a paragraph of a
# .sources file, older ones in a line of sources.list.
apt_archive() {
  local file archive='/debian(\.list)?/?$' # .list: a list of mirrors, as on cloud images
  {
    for file in /etc/apt/sources.list.d/*.sources; do
      [ ! -e "$file" ] || { cat "$file"; echo; }
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null | awk '$1 == "deb" {
      sub(/^ *deb +(\[[^]]*\])?/, "")
      print "Types: deb\nURIs: " $1 "\nSuites: " $2 "\nComponents: main"
      print "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    }' || true
  } | awk -v RS= -v suites="$1" -v types="${APT_TYPES:-deb}" -v archive="$archive" '!done && !/-security/ {
    lines = split($0, line, "\n")
    text = ""
    for (i = 1; i <= lines; i++) {
      if (line[i] ~ /^#/) continue
      if (line[i] ~ /^URIs:/ && line[i] ~ archive) done = 1
      sub(/^Suites:.*/, "Suites: " suites, line[i])
      sub(/^Types:.*/, "Types: " types, line[i])
      text = text line[i] "\n"
    }
    if (done) printf "%s", text
  }'
}

apt_unpack() {
  local dest=$1 downloads deb
  shift
  downloads=$(mktemp -d)
  mkdir -p "$dest"
  if (cd "$downloads" && apt-get "${APT[@]}" -qq download "$@" >&2); then
    for deb in "$downloads"/*.deb; do dpkg-deb -x "$deb" "$dest"; done
  else
    rm -rf "$downloads"
    return 1
  fi
  rm -rf "$downloads"
}
