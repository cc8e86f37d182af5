package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"coffer/internal/fault"
)

// fileSocket is where the operator of this machine reaches the process: for what is
// about the root key, which nobody may do from elsewhere, whatever grants they have.
const fileSocket = "control.sock"

// maxOperator bounds a request on it, in bytes.
const maxOperator = 256 << 10

// maxSocketPath is how long the path of a socket may be on every system.
const maxSocketPath = 100

// operatorDoor answers HTTP on a socket that only the owner of the data directory can open.
type operatorDoor struct {
	path   string
	server *http.Server
	done   chan struct{}
}

// openOperatorDoor opens the socket of a data directory. A process that was killed left
// its own; one that answers is an error of kind fault.Conflict.
func openOperatorDoor(ctx context.Context, data string, h http.Handler) (*operatorDoor, error) {
	path := filepath.Join(data, fileSocket)
	if conn, err := dialSocket(ctx, path); err == nil {
		conn.Close()
		return nil, fault.New(fault.Conflict, "the data directory %s is in use by another "+
			"process; stop it, or choose another with --data", data)
	}
	half := filepath.Join(data, ".tmp-"+rand.Text()[:8])
	var l net.Listener
	err := onSocket(half, func(path string) (err error) {
		l, err = (&net.ListenConfig{}).Listen(ctx, "unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", fileSocket, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err = os.Chmod(half, 0o600); err == nil {
		err = os.Rename(half, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", fileSocket, err), l.Close(),
			os.Remove(half))
	}
	d := &operatorDoor{path, &http.Server{Handler: h, ReadHeaderTimeout: time.Minute},
		make(chan struct{})}
	go func() {
		defer close(d.done)
		d.server.Serve(l) // until close
	}()
	return d, nil
}

// answering is how long a stop waits for what was asked on the socket.
const answering = 10 * time.Second

// close answers what was asked, and removes the socket.
func (d *operatorDoor) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	err := os.Remove(d.path)
	if serr := d.server.Shutdown(ctx); serr != nil {
		err = errors.Join(err, d.server.Close())
	}
	<-d.done
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func dialSocket(ctx context.Context, path string) (conn net.Conn, err error) {
	err = onSocket(path, func(path string) error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}

// onSocket calls fn with a path that is short enough for a socket.
func onSocket(path string, fn func(path string) error) error {
	if len(path) <= maxSocketPath {
		return fn(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return fn(filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), filepath.Base(path)))
}

// operated answers a request of the operator with what fn gives.
func operated[In any](fn func(ctx context.Context, in In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOperator))
		if err == nil && len(text) > 0 {
			err = json.Unmarshal(text, &in)
		}
		clear(text)
		if err != nil {
			err = fault.New(fault.Invalid, "the request cannot be read")
		}
		var out any
		if err == nil {
			out, err = fn(r.Context(), in)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]string{"message": explained(err)}
		}
		json.NewEncoder(w).Encode(out) // who hung up needs no answer
	}
}

// explained is what the operator is told of an error: all of it.
func explained(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Text != "" {
		return e.Text
	}
	return err.Error()
}

// askOperator asks the process that serves or waits on a data directory. When there is
// none the error has the kind fault.Unavailable; one that it answers, fault.Invalid.
func askOperator(ctx context.Context, data, call string, in, out any) error {
	path := filepath.Join(data, fileSocket)
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialSocket(ctx, path)
		},
	}}
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	defer clear(text)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://coffer/"+call,
		bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "nothing runs on "+data+
			"; start it with: coffer serve --data "+data)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxOperator))
	if err != nil {
		return err
	}
	var failed struct {
		Message string `json:"message"`
	}
	if resp.StatusCode != http.StatusOK {
		if json.Unmarshal(answer, &failed) != nil || failed.Message == "" {
			return fmt.Errorf("the process on %s answers %s", data, resp.Status)
		}
		return fault.New(fault.Invalid, "%s", failed.Message)
	}
	return json.Unmarshal(answer, out)
}
