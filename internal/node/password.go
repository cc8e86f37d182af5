package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/seal"
)

// PasswordReset says whose password is to be replaced.
type PasswordReset struct {
	Broker string `json:"broker"` // its id, b-…; "" is broker main
	User   string `json:"user"`
	// Administrator lets the user do everything, and makes it if there is none.
	Administrator bool `json:"administrator,omitempty"`
	// Disconnect ends the connections that the user has.
	Disconnect bool `json:"disconnect,omitempty"`
	// File writes the password of broker main's admin to main-admin, as it is done anyway
	// where that file is.
	File bool `json:"file,omitempty"`
}

// NewPassword is what a user signs in with from now on. Its JSON is not for logs.
type NewPassword struct {
	Broker   string `json:"broker"`
	User     string `json:"user"`
	Password string `json:"password"`
	// Disconnected counts the connections that were ended.
	Disconnected int `json:"disconnected"`
}

// ResetPassword gives a user of a broker a new password, made at random: by way of the
// process that serves the directory, else alone, which takes the root key. Who can read
// the data directory can do this whatever passwords are known. It is on the trail.
func ResetPassword(ctx context.Context, cfg Config, in PasswordReset) (*NewPassword, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	out := &NewPassword{}
	err := askOperator(ctx, cfg.Data, "password", in, out)
	if fault.KindOf(err) != fault.Unavailable {
		return out, err
	}
	if err := dataDirectory(&cfg); err != nil {
		return nil, err
	}
	return out, alone(ctx, &cfg, func(n *Node) (err error) {
		out, err = n.resetPassword(ctx, in, n.storedBroker)
		return err
	}, (*Node).openServices)
}

// changePassword is a reset while the process serves.
func (n *Node) changePassword(ctx context.Context, in PasswordReset) (any, error) {
	ctx = context.WithoutCancel(ctx)
	out, err := n.resetPassword(ctx, in, n.fleet.running)
	if err == nil && in.Disconnect {
		out.Disconnected = n.fleet.disconnect(out.Broker, in.User)
	}
	return out, err
}

func (n *Node) resetPassword(
	ctx context.Context, in PasswordReset,
	find func(context.Context, uuid.UUID) (*rabbitmq.Broker, error),
) (*NewPassword, error) {
	main, err := n.mainID(ctx)
	if err != nil {
		return nil, err
	}
	id := main
	if in.Broker != "" {
		if id, err = uuid.Parse(strings.TrimPrefix(in.Broker, "b-")); err != nil {
			return nil, fault.New(fault.Invalid, "%q is not the id of a broker", in.Broker)
		}
	}
	b, err := find(ctx, id)
	if err != nil {
		return nil, err
	}
	spec := rabbitmq.UserSpec{Name: in.User}
	user, there := b.User(in.User)
	if spec.Tags = user.Tags; in.Administrator {
		spec.Tags = []string{"administrator"}
	} else if !there {
		return nil, fault.New(fault.NotFound, "broker b-%s has no user %q; make one with "+
			"--administrator", id, in.User)
	}
	out := &NewPassword{Broker: "b-" + id.String(), User: in.User, Password: rand.Text()}
	if spec.Argon2id, err = n.rabbit.Hasher().Hash(ctx, []byte(out.Password)); err != nil {
		return nil, err
	}
	// Before it is done: what is not on record does not happen.
	err = n.db.Update(ctx, n.keyEvent("ResetBrokerPassword", map[string]any{
		"brokerId": out.Broker, "user": in.User, "administrator": in.Administrator,
	}))
	if err != nil {
		return nil, err
	}
	if id == main && in.User == mainUser {
		if err := n.keepAdmin(out.Password, in.File); err != nil {
			return nil, err
		}
	}
	if _, err := b.PutUser(ctx, spec); err != nil {
		return nil, err
	}
	if in.Administrator {
		err = permitAll(ctx, b, in.User)
	}
	return out, err
}

// mainID gives the id of broker main.
func (n *Node) mainID(ctx context.Context) (id uuid.UUID, err error) {
	return id, n.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableNode, []byte("main"))
		if err == nil && !ok {
			return nil // no process has served the directory
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(v, &id)
	})
}

// keepAdmin writes the password of broker main's admin where clients on this machine find
// it, if they do or are to.
func (n *Node) keepAdmin(password string, always bool) error {
	path := filepath.Join(n.cfg.Data, fileMainAdmin)
	if _, err := os.Stat(path); err != nil && !always {
		return nil
	}
	if err := writeFile(path, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", fileMainAdmin, err)
	}
	return nil
}

// permitAll lets a user do everything in every virtual host.
func permitAll(ctx context.Context, b *rabbitmq.Broker, user string) error {
	for _, v := range b.Vhosts() {
		_, err := b.PutPermission(ctx, rabbitmq.Permission{
			User: user, Vhost: v.Name, Configure: ".*", Write: ".*", Read: ".*",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// running gives a broker that this process runs.
func (f *fleet) running(_ context.Context, id uuid.UUID) (*rabbitmq.Broker, error) {
	f.mu.Lock()
	i := f.brokers[id]
	f.mu.Unlock()
	if i == nil {
		return nil, fault.New(fault.NotFound, "broker b-%s does not exist", id)
	}
	i.turn.Lock()
	defer i.turn.Unlock()
	if i.broker == nil {
		return nil, fault.New(fault.Unavailable, "broker b-%s could not be started", id)
	}
	return i.broker, nil
}

// storedBroker gives a broker of a directory that nothing serves. It needs no key for who
// its users are.
func (n *Node) storedBroker(ctx context.Context, id uuid.UUID) (*rabbitmq.Broker, error) {
	if _, err := n.fleet.port(ctx, id); err != nil {
		return nil, fault.New(fault.NotFound, "broker b-%s does not exist", id)
	}
	return n.rabbit.Open(ctx, id, n.ring.Add(seal.DomainID(id), "", nil, n.mq))
}

// disconnect ends the connections of a user, and tells how many there were.
func (f *fleet) disconnect(broker, user string) (ended int) {
	f.mu.Lock()
	i := f.placed(broker)
	var doors *amqpDoors
	if i != nil {
		doors = i.doors
	}
	f.mu.Unlock()
	if doors == nil {
		return 0
	}
	const reason = "the password was replaced"
	for _, c := range doors.old.Connections() {
		if c.User == user && doors.old.CloseConnection(c.Name, reason) {
			ended++
		}
	}
	for _, c := range doors.new.Connections() {
		if c.User == user && doors.new.CloseConnection(c.Name, reason) {
			ended++
		}
	}
	return ended
}
