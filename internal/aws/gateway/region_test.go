package gateway

import (
	"testing"

	"coffer/internal/aws/wire"
)

// TestHomeRegion: what IAM does is in us-east-1, whatever a client signs for.
func TestHomeRegion(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"iam.amazonaws.com": "us-east-1", "sts.amazonaws.com": here, "kms.amazonaws.com": here,
	} {
		s := &service{Service: Service{API: &wire.API{EventSource: source}}}
		if got := homeRegion(s, here); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
