// With runs a command beside a RabbitMQ of its own, whose address stands for {} in
// the arguments, and ends with the command's exit code. The user is u with the
// password p, who may configure all but what begins with "denied", write all but
// "secret" and read all but "hidden". Without RabbitMQ on the machine it says so and
// ends with the exit code 75.
//
//	go run ./test/rabbitmq/with go test ./internal/protocol/amqp091 -args -rabbitmq {}
//
// Where {http} stands in the arguments, its management API is open, too, with shovels and
// federation, and stands for it.
//
//	go run ./test/rabbitmq/with go test -run TestRealImport ./internal/node \
//		-args -rabbitmq-management http://u:p@{http}
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"coffer/test/rabbitmq"
)

const httpPlace = "{http}"

// missing is the exit code when there is no RabbitMQ: that of a temporary failure.
const missing = 75

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(command []string) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := rabbitmq.Config{
		Users: []rabbitmq.User{{
			Name: "u", Password: "p",
			Configure: "^(?!denied)", Write: "^(?!secret$)", Read: "^(?!hidden$)",
		}},
		Plugins: []string{"rabbitmq_consistent_hash_exchange"},
	}
	if strings.Contains(strings.Join(command, " "), httpPlace) {
		cfg.HTTP = true
		cfg.Plugins = append(cfg.Plugins,
			"rabbitmq_management", "rabbitmq_shovel", "rabbitmq_federation")
	}
	s, err := rabbitmq.Start(ctx, cfg)
	if errors.Is(err, rabbitmq.ErrMissing) {
		return missing, err
	}
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	for i := range command {
		command[i] = strings.NewReplacer("{}", s.Addr, httpPlace, s.HTTP).Replace(command[i])
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
