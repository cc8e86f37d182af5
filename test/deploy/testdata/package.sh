# The Debian package on a machine that has nothing: installed, used, upgraded, removed
# and purged. /trial holds two versions of it and the client.
export DEBIAN_FRONTEND=noninteractive
data=/var/lib/coffer

as_client() { # verb, text
	runuser -u coffer -- sh -ec 'eval "$(coffer env --data "$0")"; /trial/client "$@"' $data "$@"
}

dpkg -i /trial/1/coffer_*.deb
coffer version | grep -E '^coffer v[0-9]'
systemctl is-active coffer
systemctl is-enabled coffer
systemctl show -p StatusText coffer | grep -x StatusText=serving
stat -c '%U %a' $data | grep -x 'coffer 700'
stat -c '%U %a' /etc/credstore.encrypted/coffer.root-key | grep -x 'root 600'
systemd-creds decrypt /etc/credstore.encrypted/coffer.root-key | grep -Ex '[0-9a-f]{64}'
absent $data/root.key
as_client put one

# It comes back when it was killed, with what it had.
systemctl kill -s KILL coffer
back='NRestarts=1 ActiveState=active'
until [ "$(systemctl show -p NRestarts -p ActiveState coffer | sort -r | xargs)" = "$back" ]; do
	read -rt 0.1 <> <(:) || :
done
as_client take one

# A wrong setting is told, and not tried again and again.
echo 'listen: nowhere' >>/etc/coffer/coffer.yaml
refused systemctl restart coffer
systemctl show -p ExecMainStatus -p NRestarts -p ActiveState coffer
systemctl show -p ExecMainStatus coffer | grep -x ExecMainStatus=2
systemctl show -p ActiveState coffer | grep -x ActiveState=failed
journalctl -u coffer --no-pager | grep -F -- '--listen: "nowhere" is neither an IP address nor localhost'
sed -i 's/^listen: nowhere/listen: 127.0.0.1/' /etc/coffer/coffer.yaml

# So is a root key that is not there, and nothing is changed.
mv /etc/credstore.encrypted/coffer.root-key /root/
refused systemctl restart coffer
systemctl show -p ExecMainStatus coffer | grep -x ExecMainStatus=2
journalctl -u coffer --no-pager | tail -5
mv /root/coffer.root-key /etc/credstore.encrypted/
systemctl restart coffer
as_client put two

# An upgrade keeps settings and data, and the service runs.
dpkg -i /trial/2/coffer_*.deb
dpkg-query -W -f '${Version}\n' coffer | grep '^1000:'
systemctl is-active coffer
grep -x 'listen: 127.0.0.1' /etc/coffer/coffer.yaml
as_client take two
as_client put three

# Removed and purged, it leaves what cannot be made again.
dpkg -r coffer
refused systemctl is-active coffer
test -e $data/store -a -e /etc/coffer/coffer.yaml -a -e /etc/credstore.encrypted/coffer.root-key
dpkg -P coffer
absent /etc/coffer /usr/bin/coffer
test -e $data/store -a -e /etc/credstore.encrypted/coffer.root-key
dpkg -i /trial/2/coffer_*.deb
as_client take three

# Unless somebody says otherwise: then nothing is left but the user.
echo coffer coffer/remove-data boolean true | debconf-set-selections
dpkg -P coffer
absent $data /etc/credstore.encrypted/coffer.root-key /etc/coffer
dpkg -i /trial/1/coffer_*.deb
as_client put four
