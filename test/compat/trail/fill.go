// Command trail writes many events into the audit trail of a stopped data directory,
// as if its first account had made calls for eighty days: half of them with effects.
// It is for tests of who reads the trail; no process of Coffer does this.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/node"
	"coffer/internal/rootkey"
	"coffer/internal/store/embedded"
)

func main() {
	data := flag.String("data", "", "data directory")
	count := flag.Int("events", 1000, "number of events")
	flag.Parse()
	if err := fill(context.Background(), *data, *count); err != nil {
		log.Fatal(err)
	}
}

func fill(ctx context.Context, data string, count int) (err error) {
	key, err := (&rootkey.Reader{}).Key(ctx, rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: filepath.Join(data, "root.key")})
	if err != nil {
		return err
	}
	defer key.Wipe()
	engine, err := embedded.Open(embedded.Config{Dir: filepath.Join(data, "store")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	ids := engine.Shards()
	zero, err := engine.Open(ctx, ids[0])
	if err != nil {
		return err
	}
	end := ids[len(ids)-1]
	last, err := engine.Open(ctx, end)
	if err != nil {
		return err
	}
	db, err := control.Open(ctx, zero, key,
		control.Config{Incarnation: engine.Identity().Incarnation})
	if err != nil {
		return err
	}
	trail, err := audit.Open(ctx, db, last, end, audit.Config{})
	if err != nil {
		return err
	}
	defer trail.Close()
	now := time.Now().Add(-time.Minute)
	return errors.Join(reads(ctx, trail, now, count), effects(ctx, db, trail, now, count))
}

// lanes is how many events without effects wait for one batch.
const lanes = 512

// reads writes the events of odd numbers.
func reads(ctx context.Context, trail *audit.Log, now time.Time, count int) error {
	errs := make([]error, lanes)
	var work sync.WaitGroup
	for lane := range lanes {
		work.Go(func() {
			for n := 2*lane + 1; n < count && errs[lane] == nil; n += 2 * lanes {
				errs[lane] = trail.Record(ctx, event(now, n, count))
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// effects writes the events of even numbers.
func effects(
	ctx context.Context, db *control.DB, trail *audit.Log, now time.Time, count int,
) error {
	const unit = 1000
	for from := 0; from < count; from += unit {
		err := db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
			for n := from; n < min(from+unit, count); n += 2 {
				if err := trail.Append(tx, event(now, n, count)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func event(now time.Time, n, count int) *audit.Event {
	step := 80 * 24 * time.Hour / time.Duration(count)
	who := strconv.Itoa(n % 100)
	return &audit.Event{
		EventVersion: "1.08", EventTime: now.Add(-step * time.Duration(count-n)),
		EventSource: "kms.amazonaws.com", EventName: []string{"Encrypt", "Decrypt"}[n%2],
		AWSRegion: node.Region, RecipientAccountID: node.Account, SourceIPAddress: "192.0.2.1",
		EventID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), RequestID: strconv.Itoa(n),
		ReadOnly: n%2 == 1, EventType: "AwsApiCall", ManagementEvent: true,
		EventCategory: "Management",
		UserIdentity: audit.Identity{Type: "IAMUser", AccountID: node.Account,
			PrincipalID: "AIDA" + who, UserName: "user-" + who,
			ARN: "arn:aws:iam::" + node.Account + ":user/user-" + who},
	}
}
