#!/bin/sh
# Builds the Debian package of the working tree into a directory: build.sh [DIRECTORY]
# VERSION is the version, such as v1.2.0; else git tells.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
to=$(mkdir -p "${1:-$root/bin}" && cd "${1:-$root/bin}" && pwd)

# The commit's time makes the same package of the same commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
fi
export SOURCE_DATE_EPOCH
VERSION=${VERSION:-$("$root/deploy/version.sh")}
version=$(echo "$VERSION" | sed 's/^v//; s/-/+/; s/-/./g') # as Debian writes it

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/coffer"
cd "$work/coffer"
cp -R "$here" debian
cp "$root/deploy/systemd/"* debian/
cp "$root/deploy/coffer.yaml" "$root/deploy/coffer.1" .
cat >debian/changelog <<END
coffer ($version) unstable; urgency=medium

  * What changed is in CHANGELOG.md of the sources.

 -- Coffer <maintainers@coffer.invalid>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
echo "$VERSION" >"$work/version"
echo "{\"Replace\": {\"$root/cmd/coffer/VERSION\": \"$work/version\"}}" >"$work/overlay"
CGO_ENABLED=0 GOARCH=$(go env GOARCH) go -C "$root" build -trimpath -buildvcs=false \
	-ldflags '-s -w' -overlay "$work/overlay" -o "$work/coffer/coffer" ./cmd/coffer
dpkg-buildpackage --build=binary --no-sign --check-builddeps >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
mv "$work"/coffer_*.deb "$to"
ls "$to"/coffer_"$version"_*.deb
