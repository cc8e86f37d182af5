package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// What is built without encryption: the file that makes ciphers, and what stands in its
// place. The other file is no part of any package, so that no tag, flag or mistake can
// bring it into an ordinary binary.
const (
	cipherFile   = "../../internal/seal/aead.go"
	noCipherFile = "unsealed/aead.go.txt"
)

// mark is what everything bears that this binary would have sealed.
const mark = "NOT SEALED HERE!"

// buildUnsealed builds a package into dir with ciphers that seal nothing, from the
// folder of this package.
func buildUnsealed(ctx context.Context, dir, pkg string) (string, error) {
	real, err := filepath.Abs(cipherFile)
	if err != nil {
		return "", err
	}
	instead, err := filepath.Abs(noCipherFile)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {real: instead}})
	if err != nil {
		return "", err
	}
	file, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "coffer-unsealed")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", file,
		"-o", binary, pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build without sealing: %w\n%s", err, out)
	}
	return binary, nil
}
