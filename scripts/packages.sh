# Installs the Debian or Ubuntu packages named as arguments, where they are missing.
set -eu
missing=
for package; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
# shellcheck disable=SC2086
$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y $missing || {
  echo "these packages are missing and could not be installed:$missing" >&2
  exit 1
}
