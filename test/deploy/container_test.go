package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"coffer/test/process"
)

// TestContainer: what testdata/container.sh tells, among mounts and processes of its own,
// which end with it.
func TestContainer(t *testing.T) {
	needMachine(t, "debootstrap", "buildah", "podman", "crun", "nsenter", "unshare")
	trial, source := newTrial(t), ""
	script, err := os.ReadFile("testdata/container.sh")
	if err == nil {
		source, err = filepath.Abs("../..")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), trialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation=private", "--pid",
		"--fork", "--kill-child", "--mount-proc", "bash", "-c", prelude+string(script))
	cmd.Env = append(process.Environment(),
		"TRIAL="+trial, "TREE="+debian(t), "SOURCE="+source)
	cmd.SysProcAttr = process.Die()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
