package iam

import (
	"cmp"

	"coffer/internal/arn"
)

// device is the MFA device that a request is about and that it does not name by a
// user; empty when there is none.
func (a *access) device() (name, kindName string, err error) {
	const deviceType = "AWS::IAM::VirtualMFADevice"
	if name := a.text("VirtualMFADeviceName"); name != "" {
		path := cmp.Or(a.text("Path"), "/")
		return arn.New("iam", "", a.account(), "mfa"+path+name).String(), deviceType, nil
	}
	serial := a.text("SerialNumber")
	if serial == "" {
		return "", "", nil
	}
	d, err := deviceBySerial(a.tx, a.account(), serial)
	if err != nil {
		return "", "", err
	}
	if d == nil {
		return "*", "", nil // for the operation to refuse, for those who may call it at all
	}
	a.resourceTags(&entity{Tags: d.Tags})
	return d.serial(), deviceType, nil
}
