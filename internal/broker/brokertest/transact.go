package brokertest

import (
	"fmt"
	"slices"
	"strings"

	"coffer/internal/broker"
)

// transaction is what a session has gathered to be committed.
type transaction struct {
	broker.Transaction
	settled []string
}

// transact plays the commands of transactions: "tx publish" and "tx transient"
// gather messages as publish does, "tx accept", "tx release" and "tx reject"
// settlements, "tx commit" commits what was gathered.
func (p *player) transact(name string, c *Client, args []string) (string, error) {
	tx := p.gathered[name]
	if tx == nil {
		tx = &transaction{}
		p.gathered[name] = tx
	}
	switch command, args := args[0], args[1:]; command {
	case "publish", "transient":
		like, texts, err := p.message(args, command == "publish")
		if err != nil {
			return "", err
		}
		for _, text := range texts {
			m, err := p.world.MessageLike(like, text)
			if err != nil {
				return "", err
			}
			targets, _ := p.world.Namespace.Topology().Route(nil, m.Address, m.Key)
			if strings.HasPrefix(m.Key, "other/") {
				q, err := p.named(m.Key)
				if err != nil {
					return "", err
				}
				targets = []*broker.Queue{q}
			}
			pub := broker.Publishing{Message: m, Targets: targets}
			tx.Publishings = append(tx.Publishings, pub)
		}
		return "", nil
	case "accept", "release", "reject":
		outcome := outcomes()[command]
		var left []broker.Delivery
		for _, d := range p.held[name] {
			text, err := p.world.Text(&d)
			if err != nil {
				return "", err
			}
			if !slices.Contains(args, text) {
				left = append(left, d)
				continue
			}
			s := broker.Settlement{Ref: d.Ref, Outcome: outcome}
			tx.Settlements = append(tx.Settlements, s)
		}
		p.held[name] = left
		return "", nil
	case "commit":
		delete(p.gathered, name)
		return "", c.Transact(tx.Transaction)
	default:
		return "", fmt.Errorf("unknown command tx %s %s", command, strings.Join(args, " "))
	}
}

func outcomes() map[string]broker.Outcome {
	return map[string]broker.Outcome{
		"accept": broker.Accept, "release": broker.Release, "reject": broker.Reject,
	}
}

// Transact commits t and waits until it is durable.
func (c *Client) Transact(t broker.Transaction) error {
	c.tag++
	if err := c.Commit(c.world.T.Context(), t, c.tag); err != nil {
		return err
	}
	e, err := c.Wait(broker.Committed)
	switch {
	case err != nil:
		return err
	case e.Tag != c.tag:
		return fmt.Errorf("commit %d was answered in the place of %d", e.Tag, c.tag)
	}
	return e.Err
}
