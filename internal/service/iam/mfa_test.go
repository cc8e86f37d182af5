package iam

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// token is an authenticator: what a person has in the hand.
type token struct {
	w      *world
	serial string
	seed   []byte
}

// token makes a device that is nobody's.
func (w *world) token(name string) *token {
	w.t.Helper()
	out, err := w.root(home).CreateVirtualMFADevice(w.t.Context(),
		&api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: name})
	must(w.t, err)
	d := out.VirtualMFADevice
	seed, err := base32.StdEncoding.DecodeString(string(d.Base32StringSeed))
	must(w.t, err)
	return &token{w, d.SerialNumber, seed}
}

// code is what it shows now, or some steps from now.
func (k *token) code(steps int64) string {
	return oneTimeCode(k.seed, stepOf(k.w.now)+steps)
}

func (k *token) enable(user string) error {
	_, err := k.w.root(home).EnableMFADevice(k.w.t.Context(), &api.EnableMFADeviceInput{
		UserName: user, SerialNumber: k.serial,
		AuthenticationCode1: k.code(-1), AuthenticationCode2: k.code(0),
	})
	return err
}

func (k *token) use(who policy.Principal, code string) error {
	return k.w.svc.UseMFA(k.w.t.Context(), who, k.serial, code)
}

func (w *world) pass(steps int) {
	w.now = w.now.Add(time.Duration(steps) * totpStep * time.Second)
}

const wrong = "MultiFactorAuthentication failed with invalid MFA one time pass code. "

// denied fails unless a code was refused as wrong.
func denied(t *testing.T, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Denied || err.Error() != wrong {
		t.Errorf("%v", err)
	}
}

// TestMFA01 (MFA-01): a device is made, given to a user by two codes, used, taken
// away and deleted; the seed is shown once.
func TestMFA01(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.holder(w.user("alice")).Principal
	k := w.token("alice")
	if k.serial != "arn:aws:iam::"+home+":mfa/alice" || len(k.seed) != seedSize {
		t.Fatalf("%+v", k)
	}
	denied2 := func(err error, text string) {
		t.Helper()
		if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), text) {
			t.Error(err)
		}
	}
	denied2(k.use(alice, k.code(0)), "unable to validate MFA code.  Please verify your MFA serial")
	must(t, k.enable("alice"))
	denied(t, k.use(alice, k.code(0))) // it was one of the two
	w.pass(1)
	must(t, k.use(alice, k.code(0)))
	denied(t, k.use(alice, k.code(0))) // no code is right twice
	w.open()                           // nor after a restart
	denied(t, k.use(alice, k.code(0)))
	must(t, k.use(alice, k.code(1)))
	denied(t, k.use(alice, k.code(0)))
	bob := w.holder(w.user("bob")).Principal
	w.pass(5)
	denied2(k.use(bob, k.code(0)), "unable to validate")
	abroad := bob
	abroad.Account = "444455556666"
	denied2(k.use(abroad, k.code(0)), "unable to validate")
	root := w.root(home)
	list, err := root.ListMFADevices(t.Context(), &api.ListMFADevicesInput{UserName: "alice"})
	must(t, err)
	if len(list.MFADevices) != 1 || list.MFADevices[0].SerialNumber != k.serial ||
		list.MFADevices[0].UserName != "alice" || list.MFADevices[0].EnableDate.IsZero() {
		t.Errorf("%+v", list)
	}
	ctx := t.Context()
	_, err = root.DeleteUser(ctx, &api.DeleteUserInput{UserName: "alice"})
	want(t, err, "DeleteConflict", "must delete MFA device first")
	_, err = root.DeleteVirtualMFADevice(ctx, &api.DeleteVirtualMFADeviceInput{
		SerialNumber: k.serial})
	want(t, err, "DeleteConflict", "Must deactivate first")
	off := &api.DeactivateMFADeviceInput{UserName: "alice", SerialNumber: k.serial}
	must(t, second(root.DeactivateMFADevice(ctx, off)))
	want(t, second(root.DeactivateMFADevice(ctx, off)), "NoSuchEntity", "not assigned")
	denied2(k.use(alice, k.code(0)), "unable to validate")
	must(t, second(root.DeleteVirtualMFADevice(ctx, &api.DeleteVirtualMFADeviceInput{
		SerialNumber: k.serial})))
	want(t, k.enable("alice"), "NoSuchEntity", "does not exist")
}

// TestWrongCodes: wrong codes close the device for longer and longer; a right one
// opens it, but not before its time.
func TestWrongCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.holder(w.user("alice")).Principal
	k := w.token("alice")
	must(t, k.enable("alice"))
	w.pass(1)
	for range freeTries {
		denied(t, k.use(alice, "none"))
	}
	denied(t, k.use(alice, k.code(0))) // closed
	w.now = w.now.Add(firstClosed - time.Second)
	denied(t, k.use(alice, k.code(0)))
	w.now = w.now.Add(time.Second)
	denied(t, k.use(alice, "none"))
	w.now = w.now.Add(firstClosed)
	denied(t, k.use(alice, k.code(0))) // twice as long
	w.open()
	denied(t, k.use(alice, k.code(0)))
	for range 100 { // and at most so long
		w.now = w.now.Add(longClosed)
		denied(t, k.use(alice, "none"))
	}
	w.now = w.now.Add(longClosed)
	must(t, k.use(alice, k.code(0)))
	denied(t, k.use(alice, "none"))
	w.pass(1)
	must(t, k.use(alice, k.code(0)))
}

// TestCodeRace: of many who show one code at the same time one is let in.
func TestCodeRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.holder(w.user("alice")).Principal
	k := w.token("alice")
	must(t, k.enable("alice"))
	w.pass(1)
	code := k.code(0)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if k.use(alice, code) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d were let in", won.Load())
	}
}

// TestEnableRefused: a device is given to one holder, by two codes in a row of about
// now.
func TestEnableRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	k := w.token("alice")
	root := w.root(home)
	enable := func(user, one, two string) error {
		return second(root.EnableMFADevice(t.Context(), &api.EnableMFADeviceInput{UserName: user,
			SerialNumber: k.serial, AuthenticationCode1: one, AuthenticationCode2: two}))
	}
	for _, c := range [][2]string{
		{k.code(0), k.code(0)}, {k.code(0), k.code(-1)}, {k.code(-1), k.code(1)},
		{k.code(-9), k.code(-8)}, {k.code(8), k.code(9)}, {"000000", k.code(0)},
	} {
		want(t, enable("alice", c[0], c[1]), "InvalidAuthenticationCode", "not valid")
	}
	want(t, enable("carol", k.code(-1), k.code(0)), "NoSuchEntity", "carol")
	must(t, enable("alice", k.code(-1), k.code(0)))
	want(t, enable("bob", k.code(-1), k.code(0)), "EntityAlreadyExists", "already in use")
	off := &api.DeactivateMFADeviceInput{UserName: "alice", SerialNumber: k.serial}
	must(t, second(root.DeactivateMFADevice(t.Context(), off)))
	// The codes that were used are so for the next holder.
	want(t, enable("bob", k.code(-1), k.code(0)), "InvalidAuthenticationCode", "not valid")
	must(t, enable("bob", k.code(1), k.code(2)))
	_, err := root.CreateVirtualMFADevice(t.Context(),
		&api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "ALICE"})
	want(t, err, "EntityAlreadyExists", "already exists")
	for i := range maxDevices {
		must(t, w.token(fmt.Sprint("alice", i)).enable("alice"))
	}
	want(t, w.token("more").enable("alice"), "LimitExceeded", "MFADevicesPerUser: 8")
}

// TestResync: a clock that is far off is followed from there on.
func TestResync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.holder(w.user("alice")).Principal
	k := w.token("alice")
	must(t, k.enable("alice"))
	w.pass(2)
	const off = 50
	denied(t, k.use(alice, k.code(off)))
	resync := func(one, two string) error {
		return second(w.root(home).ResyncMFADevice(t.Context(), &api.ResyncMFADeviceInput{
			UserName: "alice", SerialNumber: k.serial,
			AuthenticationCode1: one, AuthenticationCode2: two}))
	}
	want(t, resync(k.code(off), k.code(off)), "InvalidAuthenticationCode", "not valid")
	want(t, resync(k.code(130), k.code(131)), "InvalidAuthenticationCode", "not valid")
	must(t, resync(k.code(off-1), k.code(off)))
	denied(t, k.use(alice, k.code(off)))
	w.pass(1)
	must(t, k.use(alice, k.code(off)))
	w.pass(1)
	denied(t, k.use(alice, k.code(0)))
}

// TestRootDevice: the root user has devices of its own, and only it can give them
// to itself.
func TestRootDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.token("root-account-mfa-device")
	must(t, k.enable(home))
	w.pass(1)
	root := policy.RootPrincipal(home)
	must(t, k.use(root, k.code(0)))
	other := policy.RootPrincipal("444455556666")
	if err := k.use(other, k.code(1)); err == nil || err.Error() == wrong {
		t.Errorf("another account's root: %v", err)
	}
	list, err := w.root(home).ListMFADevices(t.Context(), &api.ListMFADevicesInput{})
	must(t, err)
	all, err := w.root(home).ListVirtualMFADevices(t.Context(),
		&api.ListVirtualMFADevicesInput{AssignmentStatus: "Assigned"})
	must(t, err)
	if len(list.MFADevices) != 1 || len(all.VirtualMFADevices) != 1 ||
		all.VirtualMFADevices[0].User.Arn != root.ARN ||
		all.VirtualMFADevices[0].Base32StringSeed != nil {
		t.Errorf("%+v %+v", list, all)
	}
	c := w.as(w.holder(w.admin("alice")))
	_, err = c.DeactivateMFADevice(t.Context(),
		&api.DeactivateMFADeviceInput{UserName: home, SerialNumber: k.serial})
	want(t, err, "NoSuchEntity", home)
	_, err = c.ListMFADevices(t.Context(), &api.ListMFADevicesInput{})
	must(t, err)
}

// admin makes a user who may do all.
func (w *world) admin(name string) *api.AccessKey {
	w.t.Helper()
	key := w.user(name)
	_, err := w.root(home).PutUserPolicy(w.t.Context(), &api.PutUserPolicyInput{
		UserName: name, PolicyName: "all", PolicyDocument: allowAll})
	must(w.t, err)
	return key
}

// TestDevicesApart: an account sees nothing of another's devices, and events show
// no seed and no code.
func TestDevicesApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("alice")
	k := w.token("alice")
	must(t, k.enable("alice"))
	other := w.root("444455556666")
	all, err := other.ListVirtualMFADevices(t.Context(), &api.ListVirtualMFADevicesInput{})
	must(t, err)
	if len(all.VirtualMFADevices) != 0 {
		t.Errorf("%+v", all)
	}
	_, err = other.DeleteVirtualMFADevice(t.Context(),
		&api.DeleteVirtualMFADeviceInput{SerialNumber: k.serial})
	want(t, err, "NoSuchEntity", "does not exist")
	seed := base32.StdEncoding.EncodeToString(k.seed)
	for _, e := range w.events {
		text := fmt.Sprintf("%+v", e)
		if strings.Contains(text, seed) || strings.Contains(text, k.code(0)) {
			t.Errorf("the event shows a secret: %s", text)
		}
	}
	if len(w.events) < 4 {
		t.Errorf("%d events", len(w.events))
	}
}

// TestDeviceTags: tags, pages, and what a policy can say of devices.
func TestDeviceTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.token("alice")
	root := w.root(home)
	ctx := t.Context()
	must(t, second(root.TagMFADevice(ctx, &api.TagMFADeviceInput{SerialNumber: k.serial,
		Tags: []api.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}})))
	must(t, second(root.UntagMFADevice(ctx, &api.UntagMFADeviceInput{SerialNumber: k.serial,
		TagKeys: []string{"b"}})))
	out, err := root.ListMFADeviceTags(ctx, &api.ListMFADeviceTagsInput{SerialNumber: k.serial})
	if err != nil || fmt.Sprint(out.Tags) != "[{a 1}]" {
		t.Errorf("%v, %v", out, err)
	}
	key := w.user("bob")
	must(t, second(root.PutUserPolicy(ctx, &api.PutUserPolicyInput{UserName: "bob",
		PolicyName: "own", PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":` +
			`"Allow","Action":["iam:CreateVirtualMFADevice","iam:DeleteVirtualMFADevice"],` +
			`"Resource":"arn:aws:iam::*:mfa/${aws:username}"},{"Effect":"Allow","Action":` +
			`"iam:EnableMFADevice","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`})))
	bob := w.as(w.holder(key))
	for name, allowed := range map[string]bool{"bob": true, "alice2": false} {
		_, err := bob.CreateVirtualMFADevice(ctx,
			&api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: name})
		if (err == nil) != allowed || !allowed && fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = bob.DeleteVirtualMFADevice(ctx, &api.DeleteVirtualMFADeviceInput{
		SerialNumber: k.serial})
	if fault.KindOf(err) != fault.Denied ||
		!strings.Contains(err.Error(), "on resource: "+k.serial) {
		t.Error(err)
	}
	must(t, k.enable("bob"))
	got, err := root.GetMFADevice(ctx, &api.GetMFADeviceInput{SerialNumber: k.serial})
	if err != nil || got.UserName != "bob" || got.EnableDate.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestLongSerial: a name whose serial number no request could hold is refused.
func TestLongSerial(t *testing.T) {
	t.Parallel()
	_, err := newWorld(t).root(home).CreateVirtualMFADevice(t.Context(),
		&api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: strings.Repeat("a", 250)})
	want(t, err, "InvalidInput", "256")
	if _, ok := errors.AsType[wire.Fault](err); !ok {
		t.Error(err)
	}
}
