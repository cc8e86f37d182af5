package management

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// Identity says that a user gave its password once, for those who ask several requests
// in the same process and are not to keep the password meanwhile. It holds until the user
// is deleted or has another password; tags and permissions are looked at for each request.
type Identity struct {
	name  string
	stamp [sha256.Size]byte
}

// User is the name of the user.
func (i Identity) User() string { return i.name }

// SignIn checks a name and a password: [fault.Unauthenticated], also for users whom the
// API would not let in.
func (h *Handler) SignIn(ctx context.Context, name string, password []byte) (Identity, error) {
	if err := h.broker.Authenticate(ctx, name, password); err != nil {
		return Identity{}, err
	}
	u, ok := h.broker.User(name)
	c := &call{tags: u.Tags}
	if !ok || !c.has(tagAdministrator, tagMonitoring, tagPolicymaker, tagManagement) {
		return Identity{}, fault.New(fault.Unauthenticated, "Not management user")
	}
	return Identity{name, stamp(&u)}, nil
}

// Holds reports whether the user is still the one who signed in.
func (h *Handler) Holds(i Identity) bool {
	u, ok := h.broker.User(i.name)
	if !ok {
		return false
	}
	now := stamp(&u)
	return subtle.ConstantTimeCompare(now[:], i.stamp[:]) == 1
}

// stamp changes with the password of a user.
func stamp(u *rabbitmq.UserInfo) [sha256.Size]byte {
	return sha256.Sum256([]byte(u.Algorithm + "\x00" + u.Hash + "\x00" + u.Argon2id))
}

// ServeAs answers a request as the user of i, whatever credentials it has.
func (h *Handler) ServeAs(w http.ResponseWriter, r *http.Request, i Identity) {
	h.serve(w, r, &i)
}
