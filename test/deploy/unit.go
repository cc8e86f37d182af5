package deploy

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// folder holds what is tried.
const folder = "../../deploy/"

// unit is a unit of systemd: the values of each setting, by section and name.
type unit map[string][]string

// readUnit reads what [systemd.syntax] allows, without lines that go on in the next.
//
// [systemd.syntax]: https://www.freedesktop.org/software/systemd/man/systemd.syntax.html
func readUnit(file string) (unit, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	u, section := unit{}, ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		name, value, found := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case !found || strings.HasSuffix(line, `\`):
			return nil, fmt.Errorf("%s: %q", file, line)
		default:
			name = section + "." + name
			u[name] = append(u[name], value)
		}
	}
	return u, lines.Err()
}

// one gives the value of a setting that stands once; else it is empty.
func (u unit) one(name string) string {
	if len(u[name]) != 1 {
		return ""
	}
	return u[name][0]
}
