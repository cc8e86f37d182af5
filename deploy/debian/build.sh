#!/bin/sh
# Builds the Debian package of the working tree into a directory: build.sh [DIRECTORY]
# VERSION is its version, without a leading v; else git tells.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
to=$(mkdir -p "${1:-$root/bin}" && cd "${1:-$root/bin}" && pwd)

# The commit's time makes the same package of the same commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
fi
export SOURCE_DATE_EPOCH
if [ -z "${VERSION:-}" ]; then
	VERSION=$(git -C "$root" describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g') ||
		true
fi
if [ -z "${VERSION:-}" ]; then
	VERSION=0.0~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$(git -C "$root" rev-parse --short=12 HEAD)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/coffer"
cd "$work/coffer"
cp -R "$here" debian
cp "$root/deploy/systemd/"* debian/
cp "$root/deploy/coffer.yaml" "$root/deploy/coffer.1" .
cat >debian/changelog <<END
coffer ($VERSION) unstable; urgency=medium

  * What changed is in CHANGELOG.md of the sources.

 -- Coffer <maintainers@coffer.invalid>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
CGO_ENABLED=0 GOARCH=$(go env GOARCH) go -C "$root" build -trimpath -ldflags '-s -w' \
	-o "$work/coffer/coffer" ./cmd/coffer
dpkg-buildpackage --build=binary --no-sign --check-builddeps >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
mv "$work"/coffer_*.deb "$to"
ls "$to"/coffer_"$VERSION"_*.deb
