package brokertest

import (
	"fmt"

	"coffer/internal/broker"
)

// quota plays "quota name=number…", which sets the bounds of the namespace, and
// "usage", which shows what it holds.
func (p *player) quota(command string, args []string) (string, error) {
	n := p.world.Namespace
	if command == "usage" {
		u := n.Usage()
		return fmt.Sprintf("%d messages %d bytes %d queues %d consumers",
			u.Messages, u.Bytes, u.Queues, u.Consumers), nil
	}
	var q broker.Quota
	set, _ := options(args)
	for name, value := range set {
		bound := map[string]*broker.Bound{
			"messages": &q.MaxMessages, "bytes": &q.MaxBytes, "queues": &q.MaxQueues,
			"consumers": &q.MaxConsumers,
		}[name]
		most, err := number(name, value)
		if bound == nil || err != nil {
			return "", fmt.Errorf("bound %s: %w", name, err)
		}
		*bound = broker.AtMost(most)
	}
	return "", n.SetQuota(p.t.Context(), q)
}
