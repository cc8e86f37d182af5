package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// checkFiles warns of secrets that were written once and are gone, or do not let
// anybody in. They are not written again: who changed them may have meant it, and
// what the process itself needs is in the store.
func (n *Node) checkFiles(ctx context.Context) error {
	path := filepath.Join(n.cfg.Data, fileCredentials)
	const advice = "clients and `coffer env` need it; restore it from a backup"
	text, err := n.readSecret(path, advice)
	if err != nil {
		return err
	}
	if text != nil {
		err := n.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
			return checkCredentials(text, n.db.MAC, tx.Get)
		})
		n.warnDamaged(path, advice, err)
	}
	n.fleet.mu.Lock()
	main := n.fleet.brokers[n.fleet.main]
	n.fleet.mu.Unlock()
	if main == nil {
		return nil
	}
	return n.checkAdmin(main)
}

// checkAdmin looks at the password of broker main's admin. To derive it takes as
// long as a sign-in, so the start does not wait for that.
func (n *Node) checkAdmin(main *instance) error {
	path := filepath.Join(n.cfg.Data, fileMainAdmin)
	const advice = "`coffer env` needs it; restore it from a backup, or give user " + mainUser +
		" a new password with UpdateUser of Amazon MQ and write it there"
	text, err := n.readSecret(path, advice)
	if text == nil || err != nil {
		return err
	}
	if err := checkPassword(text); err != nil {
		n.warnDamaged(path, advice, err)
		return nil
	}
	main.turn.Lock()
	b := main.broker
	main.turn.Unlock()
	if b == nil {
		return nil // it could not be started
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := b.Authenticate(context.Background(), mainUser, text[:len(text)-1])
		if fault.KindOf(err) == fault.Unauthenticated {
			n.warnDamaged(path, advice, errors.New("not the password of user "+mainUser))
		}
	}()
	n.onStop(func(context.Context) error { <-done; return nil })
	return nil
}

// readSecret gives the text of a file, or warns that it is missing and gives nil.
func (n *Node) readSecret(path, advice string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		n.log.Warn("a file of the data directory is missing", "file", path, "advice", advice)
		return nil, nil
	}
	return text, err
}

func (n *Node) warnDamaged(path, advice string, err error) {
	if err != nil {
		n.log.Warn("a file of the data directory is damaged, or of another one",
			"file", path, "error", err, "advice", advice)
	}
}

// checkCredentials compares the file with the access key that is stored; get
// reads a row, and is nil where the state cannot be opened.
func checkCredentials(
	text []byte, mac func(label string, parts ...string) []byte,
	get func(t control.Table, id []byte) ([]byte, bool, error),
) error {
	var id, secret string
	_, err := fmt.Sscanf(string(text), credentialsFormat, &id, &secret)
	if err != nil || fmt.Sprintf(credentialsFormat, id, secret) != string(text) {
		return errors.New("not as Coffer wrote it")
	}
	if get == nil {
		return nil
	}
	v, ok, err := get(control.TableAccessKey, mac("iam/access-key", id))
	if err != nil {
		return err
	}
	var row struct {
		Secret string `json:"secret"`
	}
	if ok {
		err = json.Unmarshal(v, &row)
	}
	if err == nil && (!ok || row.Secret != secret) {
		err = errors.New("not an access key of this directory")
	}
	return err
}
