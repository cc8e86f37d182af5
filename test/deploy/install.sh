#!/usr/bin/env bash
# install.sh installs what trial machines are made with, when a part of it is missing: it
# needs Debian and root. Without root those trials are skipped.
set -euo pipefail
needed=(debootstrap buildah podman crun nsenter unshare systemd-nspawn dh lintian)
[ "$(id -u)" = 0 ] || exit 0
for command in "${needed[@]}"; do
	command -v "$command" >/dev/null && continue
	apt-get update -qq
	exec apt-get install -qq -y debootstrap buildah podman crun util-linux \
		systemd-container debhelper lintian
done
