// Package rabbitmq runs a real RabbitMQ for tests that compare Coffer with it, or
// connect the two: Debian's package rabbitmq-server, with everything of its own in a
// temporary directory and on ports of 127.0.0.1 that the system chose.
//
// It guarantees that nothing of the machine's own RabbitMQ is read, written or
// stopped, that the broker ends with the test process, and that it is gone with its
// directory when Stop returns. It gives no cluster.
package rabbitmq

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"coffer/test/process"
)

// ErrMissing says that there is no RabbitMQ on this machine.
var ErrMissing = errors.New("rabbitmq-server is not installed")

// User is one that the broker knows.
type User struct {
	Name, Password string
	// Patterns of the names that the user may configure, write and read in "/"; all
	// three empty: everything.
	Configure, Write, Read string
	Tags                   string // separated by commas; empty: administrator
}

// Config says what the broker is to be. Its virtual host is "/".
type Config struct {
	Users    []User   // none: guest with the password guest
	Plugins  []string // to enable
	Settings []string // lines of rabbitmq.conf
	TLS      bool     // to open a port with TLS, too
	HTTP     bool     // to open the management API; it needs the plugin
	// Fast lets it use all cores, as it is installed. Else it has one scheduler, so that
	// what one process of it tells another has come when the second is asked about it.
	Fast bool
}

// Server is a running RabbitMQ.
type Server struct {
	Addr string // of AMQP without TLS
	Dir  string // everything it wrote
	TLS  string // address of AMQP over TLS, if that was asked for
	CA   string // file of the authority that signed its certificate, for 127.0.0.1
	HTTP string // address of the management API, without TLS, if that was asked for

	program    string
	fast       bool
	ports      [5]int
	node, epmd *exec.Cmd
	log        *tail
}

// script is where Debian keeps what its wrapper runs as another user.
const script = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// Find gives the path of the program, or ErrMissing.
func Find() (string, error) {
	if _, err := os.Stat(script); err == nil {
		return script, nil
	}
	path, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		return "", ErrMissing
	}
	return path, nil
}

// startTries bounds how often ports are chosen again, since another process may take
// one before the broker does.
const startTries = 3

// Start starts a broker and waits until it serves. ErrMissing: there is none.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	program, err := Find()
	if err != nil {
		return nil, err
	}
	if len(cfg.Users) == 0 {
		cfg.Users = []User{{Name: "guest", Password: "guest"}}
	}
	for try := 1; ; try++ {
		s, err := start(ctx, program, &cfg)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || try == startTries {
			return nil, fmt.Errorf("start rabbitmq: %w", err)
		}
	}
}

func start(ctx context.Context, program string, cfg *Config) (_ *Server, err error) {
	dir, err := os.MkdirTemp("", "rabbitmq-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, program: program, fast: cfg.Fast, log: &tail{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := freePorts(s.ports[:]); err != nil {
		return nil, err
	}
	s.Addr = fmt.Sprintf("127.0.0.1:%d", s.ports[0])
	more, err := s.open(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.write(cfg, more); err != nil {
		return nil, err
	}
	return s, s.launch(ctx)
}

// open gives the settings of further ports.
func (s *Server) open(cfg *Config) (settings []string, err error) {
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	if cfg.TLS {
		s.TLS, s.CA = fmt.Sprintf("127.0.0.1:%d", s.ports[3]), at("ca.pem")
		settings = append(settings, "listeners.ssl.1 = "+s.TLS,
			"ssl_options.cacertfile = "+s.CA, "ssl_options.certfile = "+at("cert.pem"),
			"ssl_options.keyfile = "+at("key.pem"))
		err = certificates(s.Dir)
	}
	if cfg.HTTP {
		s.HTTP = fmt.Sprintf("127.0.0.1:%d", s.ports[4])
		settings = append(settings, "management.tcp.ip = 127.0.0.1",
			fmt.Sprintf("management.tcp.port = %d", s.ports[4]))
	}
	return settings, err
}

// Restart starts the broker again after Kill, on the same ports and what it kept, and
// waits until it serves.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("restart rabbitmq: %w", err)
	}
	return nil
}

// launch starts the processes.
func (s *Server) launch(ctx context.Context) error {
	// The broker asks a name server, which it would start and leave behind.
	s.epmd = exec.Command(nameServer(), "-port", fmt.Sprint(s.ports[1]), "-address", "127.0.0.1")
	s.epmd.SysProcAttr = process.Die()
	if err := s.epmd.Start(); err != nil {
		s.epmd = nil
		return err
	}
	s.node = exec.Command(s.program)
	s.node.Env, s.node.SysProcAttr, s.node.Dir = s.environment(s.ports), process.Die(), s.Dir
	out, err := s.node.StdoutPipe()
	if err != nil {
		s.node = nil
		return err
	}
	s.node.Stderr = s.node.Stdout
	if err := s.node.Start(); err != nil {
		s.node = nil
		return err
	}
	return s.await(ctx, out)
}

// nameServer finds Erlang's, which need not be in the path.
func nameServer() string {
	path, _ := exec.LookPath("epmd")
	return cmp.Or(path, "/usr/lib/erlang/bin/epmd")
}

// freePorts chooses ports that nobody listens on now.
func freePorts(ports []int) error {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// environment is that of the broker.
func (s *Server) environment(ports [5]int) []string {
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	schedulers := "+S 1:1 +sbwt none "
	if s.fast {
		schedulers = ""
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "LANG=C.UTF-8",
		"RABBITMQ_NODENAME=compared@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", fmt.Sprintf("RABBITMQ_NODE_PORT=%d", ports[0]),
		fmt.Sprintf("ERL_EPMD_PORT=%d", ports[1]), "ERL_EPMD_ADDRESS=127.0.0.1",
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", ports[2]),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=" + schedulers +
			"-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_CONF_ENV_FILE=" + at("none"), "RABBITMQ_CONFIG_FILE=" + at("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + at("advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + at("enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + at("data"), "RABBITMQ_LOG_BASE=" + at("log"),
		"RABBITMQ_LOGS=-",
		"RUNNING_UNDER_SYSTEMD=1", // then the script becomes the broker
	}
}

// write writes the broker's files.
func (s *Server) write(cfg *Config, settings []string) error {
	definitions, err := json.Marshal(define(cfg.Users))
	if err != nil {
		return err
	}
	at := filepath.Join(s.Dir, "definitions.json")
	conf := append([]string{
		"load_definitions = " + at, "log.console.level = info", "disk_free_limit.absolute = 1MB",
	}, append(settings, cfg.Settings...)...)
	for name, text := range map[string]string{
		"definitions.json": string(definitions),
		"rabbitmq.conf":    strings.Join(conf, "\n") + "\n",
		"advanced.config":  "[].\n",
		"enabled_plugins":  "[" + strings.Join(cfg.Plugins, ",") + "].\n",
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// define gives RabbitMQ's definitions of users who may enter "/".
func define(users []User) map[string]any {
	var list, permissions []map[string]any
	for _, u := range users {
		if u.Configure+u.Write+u.Read == "" {
			u.Configure, u.Write, u.Read = ".*", ".*", ".*"
		}
		list = append(list, map[string]any{
			"name": u.Name, "tags": cmp.Or(u.Tags, "administrator"),
			"hashing_algorithm": "rabbit_password_hashing_sha256",
			"password_hash":     hash(u.Password),
		})
		permissions = append(permissions, map[string]any{
			"user": u.Name, "vhost": "/",
			"configure": u.Configure, "write": u.Write, "read": u.Read,
		})
	}
	return map[string]any{
		"vhosts": []map[string]any{{"name": "/"}}, "users": list, "permissions": permissions,
	}
}

// hash is RabbitMQ's: four octets of salt before the SHA-256 of salt and password.
func hash(password string) string {
	var salt [4]byte
	rand.Read(salt[:]) // it never fails
	sum := sha256.Sum256(append(salt[:], password...))
	return base64.StdEncoding.EncodeToString(append(salt[:], sum[:]...))
}

// ready is what the log says when the broker serves.
const ready = "Server startup complete"

// await reads the log until the broker serves, and goes on reading.
func (s *Server) await(ctx context.Context, out io.Reader) error {
	serving, ended := make(chan struct{}), make(chan struct{})
	s.log.ended = ended
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for found := false; lines.Scan(); {
			s.log.add(lines.Text())
			if !found && strings.Contains(lines.Text(), ready) {
				found = true
				close(serving)
			}
		}
		io.Copy(io.Discard, out) // a line too long
	}()
	select {
	case <-serving:
		return nil
	case <-ended:
		return fmt.Errorf("it ended at once:\n%s", s.Log())
	case <-ctx.Done():
		return fmt.Errorf("%w:\n%s", context.Cause(ctx), s.Log())
	}
}

// Pid is the id of the process, which the script became.
func (s *Server) Pid() int { return s.node.Process.Pid }

// Log gives the last lines of the log.
func (s *Server) Log() string { return s.log.String() }

// Kill ends the broker as kill -9 does, and leaves its directory. The name server goes
// last: the broker would start another one.
func (s *Server) Kill() {
	if s.node != nil {
		s.node.Process.Kill()
		<-s.log.ended
		s.node.Wait()
	}
	if s.epmd != nil {
		s.epmd.Process.Kill()
		s.epmd.Wait()
	}
	s.node, s.epmd = nil, nil
}

// Stop ends the broker and removes what it wrote.
func (s *Server) Stop() error {
	s.Kill()
	return os.RemoveAll(s.Dir)
}
