package iam

import (
	"fmt"
	"net/url"

	"rsc.io/qr"
)

// qrCode draws the address that authenticator apps read, as a PNG. Its form is the
// one that AWS documents for virtual devices.
//
// Source: IAM API reference, VirtualMFADevice.
func qrCode(name, account, seed string) ([]byte, error) {
	code, err := qr.Encode(keyURI(name, account, seed), qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw QR code of MFA device %s: %w", name, err)
	}
	return code.PNG(), nil
}

func keyURI(name, account, seed string) string {
	return "otpauth://totp/" + url.PathEscape(name+"@"+account) + "?secret=" + seed +
		"&issuer=Coffer"
}
