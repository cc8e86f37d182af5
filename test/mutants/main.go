// Command mutants breaks one rule of Coffer at a time and shows that a test
// notices. The list beside it, testdata/*.txt, names each seeded fault, the lines
// it changes, and the tests that must fail.
//
// It changes no file: the compiler is given the broken text as an overlay, also of the
// coffer that tests build and kill. A
// fault that survives, no longer applies or does not build fails the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"
)

// limit is how long the tests of one fault may take. One that hangs is caught, but
// named, because a slow machine looks the same.
const limit = 2 * time.Minute

// patience is how long the broker's tests wait for what does not come.
const patience = 20 * time.Second

func main() {
	dir := flag.String("list", "test/mutants/testdata", "folder of the list")
	only := flag.String("only", "", "run those whose name contains this")
	workers := flag.Int("workers", 2, "faults tried at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, *dir, *only, *workers))
}

func run(ctx context.Context, dir, only string, workers int) int {
	list, err := Load(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 1
	}
	list = Named(list, only)
	scratch, err := os.MkdirTemp("", "coffer-mutants-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 1
	}
	defer os.RemoveAll(scratch)
	errs := make([]error, len(list))
	next := make(chan int)
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := range next {
				began := time.Now()
				errs[i] = Try(ctx, &list[i], scratch, i)
				verdict := "caught"
				switch {
				case errs[i] == nil:
				case errors.Is(errs[i], errEndless):
					verdict, errs[i] = "caught by its time", nil
				default:
					verdict = errs[i].Error()
				}
				took := time.Since(began).Round(100 * time.Millisecond)
				fmt.Printf("%-70s %s (%v)\n", list[i].Name, verdict, took)
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	work.Wait()
	failed := 0
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	fmt.Printf("%d seeded faults, %d caught\n", len(list), len(list)-failed)
	if failed > 0 || len(list) == 0 {
		return 1
	}
	return 0
}
