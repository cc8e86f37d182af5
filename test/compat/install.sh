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
	cp "$source/package.json" "$source/package-lock.json" "$1"
	(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund)
}
node_program() { # name, folder
	source=$2
	node --version && npm --version || debian nodejs npm
	once "$1" modules "$2/package.json" "$2/package-lock.json"
	echo "env NODE_PATH=$folder/node_modules node $2/main.js" >"$said/$1"
}
client_node() { node_program node node; }
client_rhea() { node_program rhea rhea; }
client_sqs() { node_program sqs sqs/node; }

jars() {
	mvn -q -B -f "$source/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
}
java_program() { # name, folder, what javac need not tell
	source=$2
	javac -version && mvn -version || debian default-jdk-headless maven
	once "$1" jars "$2/pom.xml"
	javac -Xlint:all"${3:-}" -Werror -cp "$folder/*" -d "$said/$1.classes" "$2"/*.java
	echo "java -cp '$said/$1.classes:$folder/*' Main" >"$said/$1"
}
client_java() { java_program java java; }
client_spring() { java_program spring spring; }
# Their classes have annotations that are not among their dependencies.
client_rabbitamqp() { java_program rabbitamqp rabbitamqp ,-classfile; }
client_sqsjava() { java_program sqsjava sqs/java ,-classfile; }

client_ruby() {
	ruby -rbunny -e '' || debian ruby ruby-bunny
	echo "ruby -W ruby/main.rb" >"$said/ruby"
}

client_prometheus() {
	prometheus --version && promtool --version || debian prometheus
	echo "prometheus" >"$said/prometheus"
}

client_proton() {
	/usr/bin/python3 -c 'import proton' || debian python3-qpid-proton
	echo "/usr/bin/python3 proton/main.py" >"$said/proton"
}

client_php() {
	php -r 'require "PhpAmqpLib/autoload.php";' || debian php-cli php-amqplib
	echo "php php/main.php" >"$said/php"
}

client_sqsphp() {
	php -r 'require "Symfony/Component/Messenger/Bridge/AmazonSqs/autoload.php";' ||
		debian php-cli php-async-aws-sqs php-symfony-amazon-sqs-messenger
	echo "php sqs/php/main.php" >"$said/sqsphp"
}

venv() {
	python3 -m venv "$1"
	"$1/bin/pip" install --quiet --disable-pip-version-check -r "$name/requirements.txt"
}
python_program() { # name, folder
	name=$2
	once "$1-py$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
		venv "$2/requirements.txt"
	echo "$folder/bin/python $2/main.py" >"$said/$1"
}
client_celery() { python_program celery celery; }
client_aiopika() { python_program aiopika aiopika; }
client_celerysqs() { python_program celerysqs sqs/celery; }
client_sqsasync() { python_program sqsasync sqs/async; }

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
