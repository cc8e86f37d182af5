package kms

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

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
	encrypts             // key usage ENCRYPT_DECRYPT
	symmetricOnly        // SYMMETRIC_DEFAULT
)

// operations are the rows of the matrix; %k is the key, %a its alias, %g its
// grant, %c a ciphertext of it, %s the algorithm it encrypts with.
var operations = []struct {
	op   string
	in   string
	when states
	on   demand
}{
	{"DescribeKey", `{"KeyId":"%k"}`, always, anyKind},
	{"GetKeyPolicy", `{"KeyId":"%k"}`, always, anyKind},
	{"ListKeyPolicies", `{"KeyId":"%k"}`, always, anyKind},
	{"PutKeyPolicy", `{"KeyId":"%k","Policy":"%p"}`, always, anyKind},
	{"ListAliases", `{"KeyId":"%k"}`, always, anyKind},
	{"ListGrants", `{"KeyId":"%k"}`, always, anyKind},
	{"ListResourceTags", `{"KeyId":"%k"}`, always, anyKind},
	{"RevokeGrant", `{"KeyId":"%k","GrantId":"%g"}`, always, anyKind},
	{"RetireGrant", `{"KeyId":"%k","GrantId":"%g"}`, always, anyKind},
	{"DeleteAlias", `{"AliasName":"%a"}`, always, anyKind},
	{"CreateAlias", `{"AliasName":"%a-new","TargetKeyId":"%k"}`, notPending, anyKind},
	{"UpdateAlias", `{"AliasName":"%a","TargetKeyId":"%k"}`, notPending, anyKind},
	{"EnableKey", `{"KeyId":"%k"}`, notPending, anyKind},
	{"DisableKey", `{"KeyId":"%k"}`, notPending, anyKind},
	{"ScheduleKeyDeletion", `{"KeyId":"%k"}`, notPending, anyKind},
	{"CancelKeyDeletion", `{"KeyId":"%k"}`, pendingOnly, anyKind},
	{"TagResource", `{"KeyId":"%k","Tags":[{"TagKey":"a","TagValue":"b"}]}`, notPending, anyKind},
	{"UntagResource", `{"KeyId":"%k","TagKeys":["a"]}`, notPending, anyKind},
	{"UpdateKeyDescription", `{"KeyId":"%k","Description":"d"}`, notPending, anyKind},
	{"CreateGrant", `{"KeyId":"%k","GranteePrincipal":"mq.amazonaws.com",` +
		`"Operations":["DescribeKey"]}`, enabledOnly, anyKind},
	{"Encrypt", `{"KeyId":"%k","Plaintext":"aGk=","EncryptionAlgorithm":"%s"}`,
		enabledOnly, encrypts},
	{"Decrypt", `{"KeyId":"%k","CiphertextBlob":"%c","EncryptionAlgorithm":"%s"}`,
		enabledOnly, encrypts},
	{"ReEncrypt", `{"SourceKeyId":"%k","DestinationKeyId":"%k","CiphertextBlob":"%c",` +
		`"SourceEncryptionAlgorithm":"%s","DestinationEncryptionAlgorithm":"%s"}`,
		enabledOnly, encrypts},
	{"GenerateDataKey", `{"KeyId":"%k","KeySpec":"AES_256"}`, enabledOnly, symmetricOnly},
	{"GenerateDataKeyWithoutPlaintext", `{"KeyId":"%k","NumberOfBytes":24}`,
		enabledOnly, symmetricOnly},
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

// TestMatrix: KMS-10: every operation built, in every state, on every kind.
func TestMatrix(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind[0]+"/"+kind[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			name := w.key("root", object{"KeySpec": kind[0], "KeyUsage": kind[1]})
			for i, row := range operations {
				for _, state := range []string{stateEnabled, stateDisabled, statePending} {
					in := w.fill(row.in, name, kind, fmt.Sprintf("alias/%d-%s", i, state))
					w.setState(name, state)
					got := w.do("root", row.op, in)
					want := expect(row.when, row.on, state, kind)
					if !strings.HasPrefix(got, want) {
						t.Errorf("%s, %s: %s, want %s", row.op, state, got, want)
					}
					w.clean(name)
				}
			}
		})
	}
}

// expect is what the developer guide says of the operation.
func expect(when states, on demand, state string, kind [3]string) string {
	switch {
	case when == pendingOnly && state == statePending:
		return "200"
	case when == pendingOnly, state == statePending && when != always:
		return "400 KMSInvalidStateException"
	case state == stateDisabled && when == enabledOnly:
		return "400 DisabledException"
	case on != anyKind && kind[1] != usageEncrypt, on == symmetricOnly && kind[0] != symmetric:
		return "400 InvalidKeyUsageException"
	}
	return "200"
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
