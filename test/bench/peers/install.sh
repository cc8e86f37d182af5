#!/usr/bin/env bash
# install.sh FOLDER: installs what Coffer's SQS is measured beside, once per version:
# ElasticMQ from Maven's repository into FOLDER/elasticmq, moto from pip's registry into
# FOLDER/moto. It needs mvn with a JDK, and Python 3 with venv.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# once runs a command unless what a file says is there already.
once() { # name, file, command…
	local said
	said=$(sha256sum <"$2")
	[ "$(cat "$folder/$1.ready" 2>/dev/null)" != "$said" ] || return 0
	rm -rf "${folder:?}/$1"
	"${@:3}"
	echo "$said" >"$folder/$1.ready"
}

elasticmq() {
	mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$folder/elasticmq"
}
moto() {
	python3 -m venv "$folder/moto"
	"$folder/moto/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
}
once elasticmq pom.xml elasticmq
once moto requirements.txt moto
