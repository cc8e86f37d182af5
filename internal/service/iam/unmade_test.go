package iam

import (
	"testing"

	api "coffer/internal/aws/api/iam"
)

// TestUnmade: what nobody can make is told to be absent, and of a user that does not
// exist nothing is told.
func TestUnmade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	w.user("alice")
	for user, text := range map[string]string{
		"alice": "Login Profile for User alice cannot be found.",
		"nemo":  "The user with name nemo cannot be found.",
	} {
		_, err := root.GetLoginProfile(ctx, &api.GetLoginProfileInput{UserName: user})
		want(t, err, "NoSuchEntity", text)
		_, err = root.DeleteLoginProfile(ctx, &api.DeleteLoginProfileInput{UserName: user})
		want(t, err, "NoSuchEntity", text)
	}
	lists := func(user string) []error {
		_, ssh := root.ListSSHPublicKeys(ctx, &api.ListSSHPublicKeysInput{UserName: user})
		_, signing := root.ListSigningCertificates(ctx,
			&api.ListSigningCertificatesInput{UserName: user})
		_, other := root.ListServiceSpecificCredentials(ctx,
			&api.ListServiceSpecificCredentialsInput{UserName: user})
		return []error{ssh, signing, other}
	}
	for _, err := range lists("alice") {
		must(t, err)
	}
	for _, err := range lists("nemo") {
		want(t, err, "NoSuchEntity", "nemo")
	}
}
