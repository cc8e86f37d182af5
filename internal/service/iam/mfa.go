package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/store"
)

const (
	maxDevices    = 8   // AWS's quota of one user, and of the root user
	maxSerial     = 256 // characters
	devicesOfRoot = "root"
)

// device is a row of control.TableMFA: MAC of the account (16), MAC of the name
// (16). It is sealed like every row, and with it the seed.
type device struct {
	Version int       `json:"v"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Seed    []byte    `json:"seed"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"` // in the order of their keys

	// Holder is the unique id of the user whose it is, or "root"; empty: nobody's.
	Holder  string    `json:"holder,omitempty"`
	Enabled time.Time `json:"enabled,omitzero"`
	Drift   int64     `json:"drift,omitempty"` // steps by which its clock is ahead

	// Used is the step of the last code that was right: none up to it is again. It
	// stays when the device changes hands.
	Used   int64     `json:"used,omitempty"`
	Wrong  int       `json:"wrong,omitempty"` // codes in a row that were not right
	Closed time.Time `json:"closed,omitzero"` // no code is looked at before
}

func (d *device) serial() string {
	return arn.New("iam", "", d.Account, "mfa"+d.Path+d.Name).String()
}

func deviceKey(tx *control.Tx, account, name string) []byte {
	return append(scope(tx, account), tx.MAC("iam/mfa", account, strings.ToLower(name))...)
}

func parseDevice(v []byte) (*device, error) {
	d := &device{}
	if err := json.Unmarshal(v, d); err != nil || d.Version != rowVersion || len(d.Seed) == 0 {
		return nil, fmt.Errorf("%w: MFA device", store.ErrDamaged) // the text may show a seed
	}
	return d, nil
}

// deviceBySerial finds a device of an account; nil means that there is none.
func deviceBySerial(tx *control.Tx, account, serial string) (*device, error) {
	a, err := arn.Parse(serial)
	path, ok := strings.CutPrefix(a.Resource, "mfa/")
	if err != nil || !ok || a.Account != account || path == "" {
		return nil, nil
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	v, ok, err := tx.Get(control.TableMFA, deviceKey(tx, account, name))
	if err != nil || !ok {
		return nil, err
	}
	d, err := parseDevice(v)
	if err != nil || d.serial() != serial {
		return nil, err
	}
	return d, nil
}

func (r *request) device(serial string) (*device, error) {
	d, err := deviceBySerial(r.tx, r.account(), serial)
	if err == nil && d == nil {
		err = notFound("VirtualMFADevice with serial number %s does not exist.", serial)
	}
	return d, err
}

func (d *device) save(tx *control.Tx) error {
	d.Version = rowVersion
	return put(tx, control.TableMFA, deviceKey(tx, d.Account, d.Name), d)
}

// devices lists the devices of an account that keep allows, by their serials.
func devices(tx *control.Tx, account string, keep func(*device) bool) ([]*device, error) {
	var list []*device
	err := tx.Scan(control.TableMFA, scope(tx, account), func(_, v []byte) error {
		d, err := parseDevice(v)
		if err == nil && keep(d) {
			list = append(list, d)
		}
		return err
	})
	slices.SortFunc(list, func(a, b *device) int { return cmp.Compare(a.serial(), b.serial()) })
	return list, err
}

func heldBy(holder string) func(*device) bool {
	return func(d *device) bool { return d.Holder == holder }
}

// mfaHolder is whose devices a request is about, and the name that answers show.
// The root user goes by no name or the account's number, and only for itself.
func (r *request) mfaHolder(name string) (holder, shown string, err error) {
	root := r.call.Principal.Kind == policy.Root
	if root && (name == "" || name == r.account()) {
		return devicesOfRoot, r.account(), nil
	}
	e, err := r.user(name)
	if err != nil {
		return "", "", err
	}
	return e.ID, e.Name, nil
}

// CreateVirtualMFADevice makes a device that is nobody's yet; only this answer
// shows its seed.
func (s *Service) CreateVirtualMFADevice(
	ctx context.Context, in *api.CreateVirtualMFADeviceInput,
) (*api.CreateVirtualMFADeviceOutput, error) {
	out := &api.CreateVirtualMFADeviceOutput{}
	return out, s.update(ctx, func(r *request) (err error) {
		d := &device{
			Account: r.account(), Name: in.VirtualMFADeviceName, Path: cmp.Or(in.Path, "/"),
			Seed: make([]byte, seedSize), Created: r.tx.Time(),
		}
		rand.Read(d.Seed) // never fails
		if len(d.serial()) > maxSerial {
			return badInput("The serial number %s is longer than %d characters.", d.serial(),
				maxSerial)
		}
		_, found, err := r.tx.Get(control.TableMFA, deviceKey(r.tx, d.Account, d.Name))
		if err == nil && found {
			err = exists("MFADevice entity at the same path and name already exists.")
		}
		if err == nil {
			d.Tags, err = addTags(nil, in.Tags)
		}
		if err != nil {
			return err
		}
		seed := base32.StdEncoding.EncodeToString(d.Seed)
		picture, err := qrCode(d.Name, d.Account, seed)
		if err != nil {
			return err
		}
		out.VirtualMFADevice = &api.VirtualMFADevice{
			SerialNumber: d.serial(), Base32StringSeed: []byte(seed), QRCodePNG: picture,
			Tags: d.apiTags(),
		}
		return d.save(r.tx)
	})
}

func (d *device) apiTags() []api.Tag {
	return (&entity{Tags: d.Tags}).tags()
}

// DeleteVirtualMFADevice deletes a device that is nobody's.
func (s *Service) DeleteVirtualMFADevice(
	ctx context.Context, in *api.DeleteVirtualMFADeviceInput,
) (*api.DeleteVirtualMFADeviceOutput, error) {
	return &api.DeleteVirtualMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		d, err := r.device(in.SerialNumber)
		if err != nil {
			return err
		}
		if d.Holder != "" {
			return deleteConflict("MFA VirtualDevice in use. Must deactivate first.")
		}
		r.tx.Delete(control.TableMFA, deviceKey(r.tx, d.Account, d.Name))
		return nil
	})
}
