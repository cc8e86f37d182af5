package kms

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/kms"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

// states says in which states of a key an operation works: the columns of the
// developer guide's key state table.
type states uint8

const (
	always      states = iota
	notPending         // KMSInvalidStateException for a key pending deletion
	enabledOnly        // and DisabledException for a disabled one
	pendingOnly        // KMSInvalidStateException for any other
)

// demand says which keys an operation works with.
type demand uint8

const (
	anyKind       demand = iota
	rotated              // SYMMETRIC_DEFAULT, else UnsupportedOperationException
	encrypts             // key usage ENCRYPT_DECRYPT
	symmetricOnly        // SYMMETRIC_DEFAULT
)

// operation is a row of the matrix. In its request %k is the key, %a its alias,
// %g its grant, %c a ciphertext of it, %s the algorithm it encrypts with.
type operation struct {
	op   string
	in   string
	when states
	on   demand
	// open: the account may do it with a key that AWS manages: by its policy, or, to
	// retire a grant, because it issued it.
	open bool
}

func operations() []operation {
	return []operation{
		{"DescribeKey", `{"KeyId":"%k"}`, always, anyKind, true},
		{"GetKeyPolicy", `{"KeyId":"%k"}`, always, anyKind, true},
		{"ListKeyPolicies", `{"KeyId":"%k"}`, always, anyKind, true},
		{"PutKeyPolicy", `{"KeyId":"%k","Policy":"%p"}`, always, anyKind, false},
		{"ListAliases", `{"KeyId":"%k"}`, always, anyKind, true},
		{"ListGrants", `{"KeyId":"%k"}`, always, anyKind, true},
		{"ListResourceTags", `{"KeyId":"%k"}`, always, anyKind, true},
		{"RevokeGrant", `{"KeyId":"%k","GrantId":"%g"}`, always, anyKind, true},
		{"RetireGrant", `{"KeyId":"%k","GrantId":"%g"}`, always, anyKind, true},
		{"DeleteAlias", `{"AliasName":"%a"}`, always, anyKind, false},
		{"CreateAlias", `{"AliasName":"%a-new","TargetKeyId":"%k"}`, notPending, anyKind, false},
		{"UpdateAlias", `{"AliasName":"%a","TargetKeyId":"%k"}`, notPending, anyKind, false},
		{"EnableKey", `{"KeyId":"%k"}`, notPending, anyKind, false},
		{"DisableKey", `{"KeyId":"%k"}`, notPending, anyKind, false},
		{"ScheduleKeyDeletion", `{"KeyId":"%k"}`, notPending, anyKind, false},
		{"CancelKeyDeletion", `{"KeyId":"%k"}`, pendingOnly, anyKind, false},
		{"TagResource", `{"KeyId":"%k","Tags":[{"TagKey":"a","TagValue":"b"}]}`,
			notPending, anyKind, false},
		{"UntagResource", `{"KeyId":"%k","TagKeys":["a"]}`, notPending, anyKind, false},
		{"UpdateKeyDescription", `{"KeyId":"%k","Description":"d"}`, notPending, anyKind, false},
		{"CreateGrant", `{"KeyId":"%k","GranteePrincipal":"mq.amazonaws.com",` +
			`"Operations":["DescribeKey"]}`, enabledOnly, anyKind, false},
		{"GetKeyRotationStatus", `{"KeyId":"%k"}`, always, anyKind, true},
		{"GetKeyLastUsage", `{"KeyId":"%k"}`, always, anyKind, true},
		{"ListKeyRotations", `{"KeyId":"%k"}`, always, rotated, true},
		{"EnableKeyRotation", `{"KeyId":"%k"}`, enabledOnly, rotated, false},
		{"DisableKeyRotation", `{"KeyId":"%k"}`, enabledOnly, rotated, false},
		{"RotateKeyOnDemand", `{"KeyId":"%k"}`, enabledOnly, rotated, false},
		{"Encrypt", `{"KeyId":"%k","Plaintext":"aGk=","EncryptionAlgorithm":"%s"}`,
			enabledOnly, encrypts, false},
		{"Decrypt", `{"KeyId":"%k","CiphertextBlob":"%c","EncryptionAlgorithm":"%s"}`,
			enabledOnly, encrypts, false},
		{"ReEncrypt", `{"SourceKeyId":"%k","DestinationKeyId":"%k","CiphertextBlob":"%c",` +
			`"SourceEncryptionAlgorithm":"%s","DestinationEncryptionAlgorithm":"%s"}`,
			enabledOnly, encrypts, false},
		{"GenerateDataKey", `{"KeyId":"%k","KeySpec":"AES_256"}`,
			enabledOnly, symmetricOnly, false},
		{"GenerateDataKeyWithoutPlaintext", `{"KeyId":"%k","NumberOfBytes":24}`,
			enabledOnly, symmetricOnly, false},
	}
}

// kinds are the columns: key spec, usage, and the algorithm that is tried.
var kinds = [][3]string{
	{symmetric, usageEncrypt, symmetric},
	{"RSA_2048", usageEncrypt, "RSAES_OAEP_SHA_256"},
	{"RSA_2048", usageSign, "RSAES_OAEP_SHA_256"},
	{"ECC_NIST_P256", usageSign, "RSAES_OAEP_SHA_1"},
	{"ECC_NIST_P384", usageAgreement, "RSAES_OAEP_SHA_1"},
	{"ECC_NIST_P521", usageSign, "RSAES_OAEP_SHA_1"},
	{"ECC_NIST_EDWARDS25519", usageSign, "RSAES_OAEP_SHA_1"},
	{"HMAC_224", usageMAC, "RSAES_OAEP_SHA_1"},
	{"HMAC_512", usageMAC, "RSAES_OAEP_SHA_1"},
}

// The states of the matrix beyond those of the model: the waiting period is
// over, and what was left of the key is swept.
const (
	stateOver  = "over"
	stateSwept = "swept"
)

// TestMatrix: KMS-10, KMS-17: every operation built, in every state, on every
// kind, with AWS's codes and texts.
func TestMatrix(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind[0]+"/"+kind[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			name := w.key("root", object{"KeySpec": kind[0], "KeyUsage": kind[1]})
			for i, row := range operations() {
				for _, state := range []string{stateEnabled, stateDisabled, statePending} {
					in := w.fill(row.in, name, kind, fmt.Sprintf("alias/%d-%s", i, state))
					w.setState(name, state)
					got := w.do("root", row.op, in)
					want := row.expect(state, kind, name)
					if !strings.HasPrefix(got, want) {
						t.Errorf("%s, %s: %s, want %s", row.op, state, got, want)
					}
					w.clean(name)
				}
			}
		})
	}
}

// TestMatrixDeleted: KMS-17: a key whose waiting period is over is not there for
// any operation, whether it is swept or not.
func TestMatrixDeleted(t *testing.T) {
	for _, kind := range [][3]string{kinds[0], kinds[1], kinds[len(kinds)-1]} {
		t.Run(kind[0]+"/"+kind[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			name := w.key("root", object{"KeySpec": kind[0], "KeyUsage": kind[1]})
			var ins []string
			for i, row := range operations() {
				ins = append(ins, w.fill(row.in, name, kind, fmt.Sprintf("alias/%d", i%5)))
				if i%5 == 4 {
					w.clean(name)
				}
			}
			w.must("root", "CreateAlias",
				object{"AliasName": "alias/last", "TargetKeyId": name}, nil)
			w.must("root", "ScheduleKeyDeletion", object{"KeyId": name}, nil)
			w.now = w.now.Add(usualWindow * day)
			for _, state := range []string{stateOver, stateSwept} {
				for i, row := range operations() {
					if strings.Contains(row.in, "%a") { // aliases: testdata/deletion.txt
						continue
					}
					got := w.do("root", row.op, ins[i])
					if want := row.expect(state, kind, name); got != want {
						t.Errorf("%s, %s: %s, want %s", row.op, state, got, want)
					}
				}
				if err := w.svc.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestMatrixManaged: KMS-02, KMS-03: what the account can do with a key that AWS
// manages.
func TestMatrixManaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name, err := w.svc.EnsureManaged(t.Context(), home, here, "mq")
	if err != nil {
		t.Fatal(err)
	}
	blob := w.do("root via mq", "Encrypt", `{"KeyId":"`+name+`","Plaintext":"aGk="}`)
	var c struct{ CiphertextBlob string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(blob, "200 ")), &c); err != nil {
		t.Fatal(blob, err)
	}
	for _, row := range operations() {
		var g struct{ GrantId string }
		made := w.do("root via mq", "CreateGrant", `{"KeyId":"`+name+`","GranteePrincipal":`+
			`"mq.amazonaws.com","Operations":["Decrypt"]}`)
		if err := json.Unmarshal([]byte(strings.TrimPrefix(made, "200 ")), &g); err != nil {
			t.Fatal(made, err)
		}
		in := strings.NewReplacer("%k", name, "%a", "alias/aws/mq", "%g", g.GrantId,
			"%c", c.CiphertextBlob, "%s", symmetric, "%p", "{}").Replace(row.in)
		want := "400 AccessDeniedException: User: arn:aws:iam::" + home +
			":root is not authorized to perform: kms:"
		switch {
		case row.open:
			want = "200 "
		case row.op == "UpdateAlias" || row.op == "DeleteAlias":
			want = "400 InvalidAliasNameException: Invalid alias name alias/aws/mq: "
		}
		if got := w.do("root", row.op, in); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", row.op, got, want)
		}
	}
}

// TestMatrixComplete: every operation that is built and names a key has its row.
func TestMatrixComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := map[string]bool{
		// They name no key, or make it.
		"CreateKey": true, "ListKeys": true, "ListRetirableGrants": true, "GenerateRandom": true,
	}
	for _, row := range operations() {
		rows[row.op] = true
	}
	for _, op := range api.API.Ops {
		_, err := op.Call(t.Context(), w.svc.Unimplemented, op.In())
		if _, ok := errors.AsType[wire.Unimplemented](err); !ok {
			t.Fatalf("%s of nothing: %v", op.Name, err)
		}
		if built(w.svc, op.Name) != rows[op.Name] {
			t.Errorf("%s: built %t, in the matrix %t", op.Name, !rows[op.Name], rows[op.Name])
		}
	}
}

// built reports whether s has a method of its own for an operation: one that it
// has of Unimplemented only is a wrapper that the compiler made.
func built(s *Service, op string) bool {
	m, ok := reflect.TypeOf(s).MethodByName(op)
	if !ok {
		return false
	}
	file, _ := runtime.FuncForPC(m.Func.Pointer()).FileLine(m.Func.Pointer())
	return filepath.Base(file) != "<autogenerated>"
}

// expect is what the developer guide says of the operation, from its beginning.
func (row *operation) expect(state string, kind [3]string, name string) string {
	pending := "400 KMSInvalidStateException: " + name + " is pending deletion."
	switch {
	case state == stateOver || state == stateSwept:
		return "400 NotFoundException: Key '" + name + "' does not exist"
	case row.when == pendingOnly && state == statePending:
		return "200 "
	case row.when == pendingOnly:
		return "400 KMSInvalidStateException: " + name + " is not pending deletion."
	case state == statePending && row.when != always:
		return pending
	case state == stateDisabled && row.when == enabledOnly:
		return "400 DisabledException: " + name + " is disabled."
	case row.on == rotated && kind[0] != symmetric:
		return "400 UnsupportedOperationException: " + name
	case row.on > rotated && kind[1] != usageEncrypt,
		row.on == symmetricOnly && kind[0] != symmetric:
		return "400 InvalidKeyUsageException: " + name
	}
	return "200 "
}

// fill writes a request for the key, with a new alias and a new grant.
func (w *world) fill(in, name string, kind [3]string, alias string) string {
	w.t.Helper()
	w.must("root", "CreateAlias", object{"AliasName": alias, "TargetKeyId": name}, nil)
	var g struct{ GrantId string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Name": "matrix",
		"Operations": []string{"DescribeKey"},
	}, &g)
	blob := base64.StdEncoding.EncodeToString([]byte("no ciphertext at all"))
	if kind[1] == usageEncrypt {
		var c struct{ CiphertextBlob string }
		w.must("root", "Encrypt", object{
			"KeyId": name, "Plaintext": "aGk=", "EncryptionAlgorithm": kind[2],
		}, &c)
		blob = c.CiphertextBlob
	}
	doc := strings.ReplaceAll(defaultPolicy(home), `"`, `\"`)
	return strings.NewReplacer("%k", name, "%a", alias, "%g", g.GrantId, "%c", blob,
		"%s", kind[2], "%p", doc).Replace(in)
}

// clean makes the key what it was before a request.
func (w *world) clean(name string) {
	w.t.Helper()
	w.setState(name, stateEnabled)
	var list struct{ Aliases []struct{ AliasName string } }
	w.must("root", "ListAliases", object{"KeyId": name}, &list)
	for _, a := range list.Aliases {
		w.must("root", "DeleteAlias", object{"AliasName": a.AliasName}, nil)
	}
}

// setState puts a key into a state that operations do not lead to.
func (w *world) setState(name, state string) {
	w.t.Helper()
	w.editKey(name, func(_ *control.Tx, k *key) { k.State = state })
}

func (w *world) editKey(name string, fn func(*control.Tx, *key)) {
	w.t.Helper()
	id := uuid.MustParse(name[strings.LastIndexByte(name, '/')+1:])
	err := w.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
		k, err := load(tx, id)
		if err != nil || k == nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		fn(tx, k)
		return k.save(tx)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestAffectedKey: every change of a key has the key's ARN among the response
// elements of its event, also where the operation answers nothing.
func TestAffectedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	for i, row := range operations() {
		op, _ := api.API.Op(row.op)
		if op.ReadOnly || row.when == pendingOnly {
			continue
		}
		in := w.fill(row.in, name, kinds[0], fmt.Sprintf("alias/affected-%d", i))
		if got := w.do("root", row.op, in); !strings.HasPrefix(got, "200 ") {
			t.Fatalf("%s: %s", row.op, got)
		}
		events, _, err := w.log.Lookup(t.Context(), audit.Query{
			Account: home, Region: here, Attribute: "EventName", Value: row.op,
		})
		if err != nil || len(events) == 0 {
			t.Fatalf("%s: %d events, %v", row.op, len(events), err)
		}
		want := name
		if row.op == "RotateKeyOnDemand" {
			want = name[strings.LastIndexByte(name, '/')+1:] // it answers the id
		}
		if got := events[0].ResponseElements["keyId"]; got != want {
			t.Errorf("%s: response elements %v", row.op, events[0].ResponseElements)
		}
		w.clean(name)
	}
}
