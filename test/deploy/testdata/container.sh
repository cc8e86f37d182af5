# The image, built from its recipe on a Debian with Go, and run by podman: as nobody, on
# a file system that cannot be written to, without a network but its own.
umount /sys/fs/cgroup/unified 2>/dev/null || : # crun takes one kind of cgroups
storage="--root $TRIAL/root --runroot $TRIAL/run --storage-driver overlay"

buildah() { command buildah $storage "$@"; }
podman() { command podman $storage "$@"; }

base=$(buildah from scratch)
buildah add --quiet "$base" "$TREE" /
buildah add --quiet "$base" "$(go env GOROOT)" /usr/local/go
buildah config --env PATH=/usr/local/go/bin:/usr/bin:/bin "$base"
buildah commit --quiet --rm "$base" localhost/builder
version=$("$SOURCE/deploy/version.sh")
go -C "$SOURCE" mod download # all modules, as the recipe does, which finds them here
buildah build --quiet --isolation=chroot --format=docker --build-arg=BUILDER=localhost/builder \
	--build-arg=VERSION="$version" \
	--volume="$(go env GOMODCACHE)":/root/go/pkg/mod \
	--volume="$(go env GOCACHE)":/root/.cache/go-build \
	--file="$SOURCE/deploy/container/Containerfile" --tag=localhost/coffer "$SOURCE"

run() {
	podman run --detach --read-only --network=none --cap-drop=all \
		--security-opt=no-new-privileges --volume=coffer:/data --name=coffer \
		--health-interval=disable --ulimit=nofile="$(ulimit -Sn):$(ulimit -Sn)" \
		--ulimit=nproc=4096:4096 "$@"
}

well() {
	for ((i = 0; i < 1200; i++)); do
		if podman healthcheck run coffer; then return; fi
		read -rt 0.1 <> <(:) || :
	done
	podman logs coffer
	return 1
}

# The client is not in the image: it joins the network and takes the files.
as_client() { # verb, text
	eval "$(podman exec coffer /usr/bin/coffer env)"
	COFFER_CA=$(podman volume inspect --format '{{.Mountpoint}}' coffer)/ca.pem
	export COFFER_CA COFFER_AMQP_URL
	nsenter --net --target "$(podman inspect --format '{{.State.Pid}}' coffer)" \
		"$TRIAL/client" "$@"
}

# Without a root key it refuses, and puts none beside the data.
run localhost/coffer
podman wait coffer | grep -x 1
podman logs coffer
absent "$(podman volume inspect --format '{{.Mountpoint}}' coffer)/root.key"
podman rm coffer

od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' | podman secret create coffer-root-key -
run --secret=coffer-root-key,uid=65532,mode=0400 localhost/coffer
well
podman exec coffer /usr/bin/coffer version | grep -F "coffer $version "
podman inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' coffer |
	grep -Fx "$version"
grep -x "Uid:[^0]*65532.*" /proc/"$(podman inspect --format '{{.State.Pid}}' coffer)"/status
grep -x "CapBnd:[^0-9]*0*" /proc/"$(podman inspect --format '{{.State.Pid}}' coffer)"/status
as_client put one
podman kill coffer
podman wait coffer
refused podman healthcheck run coffer
podman start coffer
well
as_client take one
as_client put two
podman stop --time=45 coffer
podman inspect --format '{{.State.ExitCode}}' coffer | grep -x 0

# Another container takes over the volume.
podman rm coffer
run --secret=coffer-root-key,uid=65532,mode=0400 localhost/coffer
well
as_client take two
podman stop --time=45 coffer

# The image holds the program, certificates and an empty directory.
podman export "$(podman create localhost/coffer)" | tar -t | grep -v '/$' >"$TRIAL/files"
refused grep -Evx 'usr/bin/coffer|etc/ssl/certs/ca-certificates.crt|(run|etc|dev|proc|sys)/.*' \
	"$TRIAL/files"
