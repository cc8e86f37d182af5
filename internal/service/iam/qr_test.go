package iam

import (
	"bytes"
	"image/png"
	"testing"
)

// TestQRCode: the picture is a PNG that holds the address of the device.
func TestQRCode(t *testing.T) {
	t.Parallel()
	b, err := qrCode("root of all", home, "JBSWY3DPEHPK3PXP")
	must(t, err)
	picture, err := png.Decode(bytes.NewReader(b))
	must(t, err)
	if size := picture.Bounds().Size(); size.X != size.Y || size.X < 200 {
		t.Errorf("%v", size)
	}
	const address = "otpauth://totp/root%20of%20all@111122223333?secret=JBSWY3DPEHPK3PXP" +
		"&issuer=Coffer"
	if got := keyURI("root of all", home, "JBSWY3DPEHPK3PXP"); got != address {
		t.Error(got)
	}
}
