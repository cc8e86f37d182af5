package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var statusLine = regexp.MustCompile(`(?m)^(VmRSS|VmHWM):\s+(\d+) kB$`)

// Resident gives the resident memory and the most that it ever was, in bytes.
// Systems without /proc give zeros.
func (p *Process) Resident() (now, peak int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return 0, 0
	}
	for _, f := range statusLine.FindAllSubmatch(status, -1) {
		kib, _ := strconv.ParseInt(string(f[2]), 10, 64) // digits
		if string(f[1]) == "VmRSS" {
			now = kib << 10
		} else {
			peak = kib << 10
		}
	}
	return now, peak
}

// Descriptors counts what the process has open: sockets, and all.
func (p *Process) Descriptors() (sockets, all int, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.Pid())
	list, err := os.ReadDir(dir)
	for _, e := range list {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // it was closed meanwhile
		}
		all++
		if strings.HasPrefix(to, "socket:") {
			sockets++
		}
	}
	return sockets, all, err
}

// Scrape asks the port for metrics of the process that serves a data directory.
// It leaves no connection behind.
func Scrape(ctx context.Context, data, path string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(data, "endpoints.json"))
	if err != nil {
		return nil, err
	}
	var ports struct{ Metrics int }
	if err := json.Unmarshal(text, &ports); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d%s", ports.Metrics, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return text, err
}
