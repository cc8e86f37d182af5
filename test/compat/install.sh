#!/usr/bin/env bash
# install.sh FOLDER CLIENT…: installs clients in COFFER_COMPAT_CACHE, each once
# per version, and writes to FOLDER for each a file of its name with the command
# that runs it, or into NAME.skip why it cannot be run.
set -euo pipefail
cd "$(dirname "$0")"
cache=$COFFER_COMPAT_CACHE
said=$1
shift

# debian installs packages of the system where that is allowed.
debian() { # package…
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "needs the packages $*"
		return 1
	fi
	local install=(apt-get install -qq -y --no-install-recommends "$@")
	"${install[@]}" || { apt-get update -qq && "${install[@]}"; }
}

# once fills a folder that belongs to what the files say, unless it is there.
once() { # name, command that fills the folder given to it, file…
	folder=$cache/$1-$(cat "${@:3}" | sha256sum | cut -c1-16)
	[ ! -e "$folder/ready" ] || return 0
	rm -rf "$folder"
	mkdir -p "$folder"
	"$2" "$folder"
	touch "$folder/ready"
}

modules() {
	cp node/package.json node/package-lock.json "$1"
	(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund)
}
client_node() {
	node --version && npm --version || debian nodejs npm
	once node modules node/package.json node/package-lock.json
	echo "env NODE_PATH=$folder/node_modules node node/main.js" >"$said/node"
}

jars() {
	mvn -q -B -f "$name/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
}
java_program() { # name
	name=$1
	javac -version && mvn -version || debian default-jdk-headless maven
	once "$name" jars "$name/pom.xml"
	javac -Xlint:all -Werror -cp "$folder/*" -d "$said/$name.classes" "$name"/*.java
	echo "java -cp '$said/$name.classes:$folder/*' Main" >"$said/$name"
}
client_java() { java_program java; }
client_spring() { java_program spring; }

client_ruby() {
	ruby -rbunny -e '' || debian ruby ruby-bunny
	echo "ruby -W ruby/main.rb" >"$said/ruby"
}

client_prometheus() {
	prometheus --version && promtool --version || debian prometheus
	echo "prometheus" >"$said/prometheus"
}

client_rabbitamqp() {
	name=rabbitamqp
	javac -version && mvn -version || debian default-jdk-headless maven
	once rabbitamqp jars rabbitamqp/pom.xml
	# Its classes have annotations that are not among its dependencies.
	javac -Xlint:all,-classfile -Werror -cp "$folder/*" -d "$said/rabbitamqp.classes" \
		rabbitamqp/Main.java
	echo "java -cp '$said/rabbitamqp.classes:$folder/*' Main" >"$said/rabbitamqp"
}

client_proton() {
	/usr/bin/python3 -c 'import proton' || debian python3-qpid-proton
	echo "/usr/bin/python3 proton/main.py" >"$said/proton"
}

client_php() {
	php -r 'require "PhpAmqpLib/autoload.php";' || debian php-cli php-amqplib
	echo "php php/main.php" >"$said/php"
}

venv() {
	python3 -m venv "$1"
	"$1/bin/pip" install --quiet --disable-pip-version-check -r "$name/requirements.txt"
}
client_celery() {
	name=celery
	once "celery-py$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
		venv celery/requirements.txt
	echo "$folder/bin/python celery/main.py" >"$said/celery"
}

if [ "$1" = --one ]; then
	"client_$2"
	exit
fi
for client; do
	# A process of its own, so that the first command that fails ends it.
	if ! bash install.sh "$said" --one "$client" >"$said/log" 2>&1; then
		sed "s/^/$client: /" "$said/log" >&2
		tail -n 1 "$said/log" >"$said/$client.skip"
	fi
done
