package gateway

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"coffer/internal/arn"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// ErrMessage: the text is no authorization message of this store.
var ErrMessage = errors.New("gateway: not an authorization message")

const (
	// maxMessage is what DecodeAuthorizationMessage takes, in characters.
	maxMessage = 10240
	// maxSealed is how long a message is at most: clients have bounds for headers.
	maxSealed = 4 << 10
	// maxDecoded bounds a message's JSON, in bytes.
	maxDecoded = 256 << 10
	// messageAAD keeps messages apart from all else under the platform key.
	messageAAD = "coffer/gateway/authorization-message/1"
)

// sealedMessage is what the text of DecodeAuthorizationMessage holds; the form is the
// one that AWS documents, and explanation is beside it.
type sealedMessage struct {
	// Owner is the account that may read it: of the resource. It is not shown.
	Owner string      `json:"owner,omitempty"`
	Shown *authorized `json:"shown"`
}

type authorized struct {
	Allowed      bool         `json:"allowed"`
	ExplicitDeny bool         `json:"explicitDeny"`
	Matched      items[any]   `json:"matchedStatements"`
	Failures     items[any]   `json:"failures"`
	Context      decisionKeys `json:"context"`
	Explanation  string       `json:"explanation"`
}

type decisionKeys struct {
	Principal struct {
		ID  string `json:"id"`
		ARN string `json:"arn"`
	} `json:"principal"`
	Action     string           `json:"action"`
	Resource   string           `json:"resource"`
	Conditions items[condition] `json:"conditions"`
}

type condition struct {
	Key    string       `json:"key"`
	Values items[value] `json:"values"`
}

type value struct {
	Value string `json:"value"`
}

type items[T any] struct {
	Items []T `json:"items"`
}

// sealMessage gives the text that DecodeAuthorizationMessage opens. Who was denied
// cannot read it; the owner of the resource can. What does not fit is left out.
func (g *Gateway) sealMessage(r *policy.Request, d *policy.Decision, why string, keys conditions) (
	string, error,
) {
	a := &authorized{Explanation: why, ExplicitDeny: d.ExplicitDeny()}
	a.Matched.Items, a.Failures.Items = []any{}, []any{}
	a.Context.Principal.ID = cmp.Or(r.Principal.UserID, r.Principal.Service)
	a.Context.Principal.ARN = r.Principal.ARN
	a.Context.Action, a.Context.Resource = r.Action, r.Resource
	a.Context.Conditions.Items = []condition{}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		c := condition{Key: k, Values: items[value]{[]value{}}}
		for _, v := range keys[k] {
			c.Values.Items = append(c.Values.Items, value{v})
		}
		a.Context.Conditions.Items = append(a.Context.Conditions.Items, c)
	}
	m := &sealedMessage{Owner: ownerOf(r), Shown: a}
	for _, smaller := range []func(){
		func() {},
		func() { a.Context.Conditions.Items = []condition{} },
		func() { a.Explanation = clip(a.Explanation, maxSealed/4) },
		func() { a.Context.Resource = clip(a.Context.Resource, maxSealed/4) },
	} {
		smaller()
		text, err := g.sealText(m)
		if err != nil || len(text) <= maxSealed {
			return text, err
		}
	}
	return "", errors.New("authorization message does not fit")
}

// ownerOf is the account of the resource, else the caller's.
func ownerOf(r *policy.Request) string {
	owner := r.ResourceAccount
	if a, err := arn.Parse(r.Resource); owner == "" && err == nil {
		owner = a.Account
	}
	return cmp.Or(owner, r.Principal.Account)
}

func (g *Gateway) sealText(m *sealedMessage) (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("authorization message: %w", err)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("authorization message: %w", err)
	}
	box, err := g.db.Platform().SealBox(nil, []byte(messageAAD), b.Bytes())
	if err != nil {
		return "", fmt.Errorf("authorization message: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// OpenMessage gives the JSON of an authorization message to an account that may
// read it. The error is [ErrMessage] for anything else.
func OpenMessage(db *control.DB, account, text string) (string, error) {
	if len(text) > maxMessage {
		return "", ErrMessage
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", ErrMessage
	}
	packed, err := db.Platform().OpenBox(nil, []byte(messageAAD), box)
	if err != nil {
		return "", ErrMessage
	}
	// It was made here, so what follows cannot fail by a client's doing.
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxDecoded))
	if err != nil {
		return "", fmt.Errorf("open authorization message: %w", err)
	}
	var m struct {
		Owner string
		Shown json.RawMessage
	}
	if err := json.Unmarshal(plain, &m); err != nil {
		return "", fmt.Errorf("open authorization message: %w", err)
	}
	if m.Owner != account {
		return "", ErrMessage
	}
	return string(m.Shown), nil
}
