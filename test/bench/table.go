package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"coffer/internal/bench"
)

// A row is one figure of one shape: the medians, and what was wanted.
type row struct {
	shape, unit      string
	want             want
	rabbitmq, coffer float64
}

func (r *row) ratio() float64 {
	if r.rabbitmq == 0 {
		return 0
	}
	return r.coffer / r.rabbitmq
}

// rowsOf takes the wanted figures out of results of RabbitMQ and of Coffer.
func rowsOf(s *shape, results [][]*bench.Result) (rows []row) {
	for _, w := range s.wants {
		for _, f := range bench.Figures() {
			if f.Name == w.figure {
				rows = append(rows, row{s.name, f.Unit, w, bench.Median(results[0], &f),
					bench.Median(results[1], &f)})
			}
		}
	}
	return rows
}

// number writes three digits that count, and never an exponent.
func number(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// markdown is the table of all rows.
func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString("| load | figure | RabbitMQ | Coffer | Coffer / RabbitMQ | wanted | |\n" +
		"| --- | --- | ---: | ---: | ---: | --- | --- |\n")
	for _, r := range rows {
		verdict := ""
		if r.want.String() != "" {
			verdict = map[bool]string{true: "kept", false: "**missed**"}[r.want.met(r.ratio())]
		}
		fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s | %s | %s |\n", r.shape, r.want.figure,
			r.unit, number(r.rabbitmq), number(r.coffer), number(r.ratio()), r.want.String(),
			verdict)
	}
	return b.String()
}

// budgetMarkdown shows the parts, what they allow on so many cores, and what of it was
// reached, in messages per second.
func budgetMarkdown(parts []part, cores int, reached float64) string {
	var b strings.Builder
	b.WriteString("| part | µs of processor time per message |\n| --- | ---: |\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "| %s | %.2f |\n", p.name, p.micros)
	}
	possible := float64(cores) * 1e6 / sum(parts)
	fmt.Fprintf(&b, "| together | %.2f |\n\n%d cores allow %s messages a second of it; "+
		"%s were reached, %.0f %% (wanted: at least 60).\n", sum(parts), cores, number(possible),
		number(reached), 100*reached/possible)
	return b.String()
}

// sealingMarkdown tells what sealing costs by the figures of a binary without it, in the
// place of RabbitMQ's, and of the ordinary one. Processor time does not know how long
// either waited for the disk and for others on the machine.
func sealingMarkdown(rows []row) string {
	var rate, cpu row
	for _, r := range rows {
		switch r.want.figure {
		case "delivered":
			rate = r
		case "broker CPU", "bench CPU":
			cpu.rabbitmq += r.rabbitmq
			cpu.coffer += r.coffer
		}
	}
	return fmt.Sprintf("\nThe same load on a binary that seals nothing: %s messages a second, "+
		"on the ordinary one in turn with it %s: sealing costs %.1f %% (wanted: under 10). "+
		"Processor time for a message, with that of the generator: %s and %s µs, so sealing "+
		"takes %.1f %%.\n", number(rate.rabbitmq), number(rate.coffer), 100*(1-rate.ratio()),
		number(cpu.rabbitmq), number(cpu.coffer), 100*(1-cpu.rabbitmq/cpu.coffer))
}

// say gives what a command prints; without it: nothing.
func say(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out))
}

// revision is that of the sources.
func revision() string { return say("git", "rev-parse", "--short", "HEAD") }

// machine tells where the figures come from.
func machine(brokers string, s *settings) string {
	model := ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, model, _ = strings.Cut(string(text), "model name\t: ")
		model, _, _ = strings.Cut(model, "\n")
	}
	return fmt.Sprintf("%s. %s, revision %s, %s; %d cores (%s); %s; data on %s. Medians of %d "+
		"alternating runs of %v, load generator on the same cores.\n",
		time.Now().UTC().Format(time.DateOnly), brokers, revision(),
		runtime.Version(), runtime.NumCPU(), model, say("uname", "-sr"),
		say("findmnt", "-n", "-o", "FSTYPE", "-T", os.TempDir()), s.runs, s.duration)
}

// write puts one file into the directory of the settings, if there is one.
func (s *settings) write(name, text string) error {
	if s.out == "" {
		return nil
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, name), []byte(text), 0o644)
}
