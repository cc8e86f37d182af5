package brokertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// relocate plays "relocate namespace shard", which ends all sessions, moves a namespace
// to another shard and opens it there; with "used" behind it sessions go on and with
// "closed" it is not opened. "look shard" lets commands that count rows count them there;
// without a shard it shows in which ones the namespaces lie.
func (p *player) relocate(command string, args []string) (string, error) {
	if command == "look" && len(args) == 0 {
		return strings.Trim(fmt.Sprint(p.world.Core.Spread()), "[]"), nil
	}
	to, err := strconv.Atoi(args[len(args)-1])
	if command == "look" {
		if w := p.world; (to == 2) != w.swapped {
			w.Shard, w.second, w.swapped = w.second, w.Shard, !w.swapped
		}
		return "", err
	}
	flag := ""
	if err != nil {
		flag = args[len(args)-1]
		to, err = strconv.Atoi(args[len(args)-2])
	}
	if err != nil {
		return "", err
	}
	if flag != "used" {
		p.closeAll()
	}
	if err := p.world.Core.MoveNamespace(p.t.Context(), namespaces()[args[0]], to); err != nil {
		return "", err
	}
	if flag == "closed" {
		return "", nil
	}
	return "", p.world.Reopen(args[0])
}

// Reopen opens a namespace, "first", "other" or another one of scripts, that was moved.
func (w *World) Reopen(name string) error {
	n, err := w.open(name)
	if err != nil {
		return err
	}
	switch name {
	case "first":
		w.Namespace = n
	case "other":
		w.Other = n
	}
	return nil
}

// Relocate moves the first namespace and opens it there. Its sessions must be closed.
func (w *World) Relocate(ctx context.Context, to int) error {
	if err := w.Core.MoveNamespace(ctx, w.id, to); err != nil {
		return err
	}
	return w.Reopen("first")
}
