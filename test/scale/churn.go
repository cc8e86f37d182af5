package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// churn opens n connections, several at a time, and closes each: in order or by
// cutting it, with nothing or with all that a connection can leave behind.
func churn(ctx context.Context, to amqpclient.Config, n int) error {
	to.ReadBuffer = 4 << 10
	return spread(n, func(_, i int) error {
		c, err := open(ctx, to)
		if err != nil {
			return err
		}
		switch i % 6 {
		case 1:
			return c.Close()
		case 2, 3:
			err = burden(c)
		case 4:
			err = abandon(c)
		case 5: // the server ends the channel, and then the client the connection
			_, err = c.Call(channel, &wire.QueueDeclare{Queue: "missing", Passive: true})
			if err == nil || !strings.Contains(err.Error(), "NOT_FOUND") {
				return errors.Join(errors.New("a queue that is missing was found"), err)
			}
			err = c.Append(channel, &wire.ChannelCloseOk{})
		}
		if err != nil || i%6 == 3 || i%6 == 4 {
			return errors.Join(err, c.Close())
		}
		return c.Goodbye()
	})
}

// burden leaves an exclusive queue, a consumer, and a message that it has not settled.
func burden(c *amqpclient.Conn) error {
	m, err := c.Call(channel, &wire.QueueDeclare{Exclusive: true})
	if err != nil {
		return err
	}
	q, ok := m.(*wire.QueueDeclareOk)
	if !ok {
		return fmt.Errorf("got %s, want a queue", m.ID())
	}
	if err := c.Publish(channel, "", q.Queue, false, make([]byte, bodySize)); err != nil {
		return err
	}
	if _, err := c.Call(channel, &wire.BasicConsume{Queue: q.Queue}); err != nil {
		return err
	}
	e, err := c.Next()
	if err != nil {
		return err
	}
	if _, ok := e.Method.(*wire.BasicDeliver); !ok {
		return fmt.Errorf("got %s, want a delivery", e.Method.ID())
	}
	return nil
}

// abandon leaves a transaction open.
func abandon(c *amqpclient.Conn) error {
	if _, err := c.Call(channel, &wire.TxSelect{}); err != nil {
		return err
	}
	if err := c.Publish(channel, "", "never", false, make([]byte, bodySize)); err != nil {
		return err
	}
	return c.Flush()
}

// descriptors counts what a process has open: sockets, and all.
func (s *server) descriptors() (sockets, all int, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", s.Pid())
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

// metrics asks the port for metrics. It leaves no connection behind.
func metrics(data, path string) (map[string]float64, error) {
	text, err := os.ReadFile(filepath.Join(data, "endpoints.json"))
	if err != nil {
		return nil, err
	}
	var ports struct{ Metrics int }
	if err := json.Unmarshal(text, &ports); err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", ports.Metrics, path))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, m := range metricLine.FindAllSubmatch(text, -1) {
		if v, err := strconv.ParseFloat(string(m[2]), 64); err == nil {
			values[string(m[1])] = v
		}
	}
	return values, nil
}

var metricLine = regexp.MustCompile(`(?m)^([a-z_]+) (\S+)$`)
