package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	cloudtrailapi "coffer/internal/aws/api/cloudtrail"
	cofferapi "coffer/internal/aws/api/coffer"
	iamapi "coffer/internal/aws/api/iam"
	kmsapi "coffer/internal/aws/api/kms"
	mqapi "coffer/internal/aws/api/mq"
	sqsapi "coffer/internal/aws/api/sqs"
	stsapi "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/rabbitmq"
	"coffer/internal/service/cloudtrail"
	"coffer/internal/service/coffer"
	"coffer/internal/service/iam"
	"coffer/internal/service/kms"
	"coffer/internal/service/mq"
	"coffer/internal/service/sqs"
	"coffer/internal/service/sts"
)

const (
	mainName = "main"
	mainUser = "admin"
	operator = "coffer.internal" // who acts for the operator, in events
)

// openServices builds the AWS services and the gateway before them.
func (n *Node) openServices(ctx context.Context) error {
	n.rabbit = rabbitmq.New(n.core, n.db, rabbitmq.Config{
		Logger: n.log, Dialect: dialect{}, Declarer: dialect{}, Build: n.cfg.Version,
		Components: n.components(), LoginFrom: n.cfg.loginFrom, Lint: n.lint,
	})
	n.iam = iam.New(n.db)
	keys, err := kms.New(n.db, n.ring, kms.Config{
		Trail: n.trail, Directory: n.iam, Rates: n.cfg.kmsRates,
	})
	if err != nil {
		return err
	}
	n.keys = keys
	n.keepKeys(ctx, keys)
	n.cloudtrail = cloudtrail.New(n.db, n.trail, cloudtrail.Config{Changed: n.reselect})
	if err := n.cloudtrail.Load(ctx); err != nil {
		return err
	}
	n.reselect()
	n.fleet = newFleet(n)
	n.onStop(n.fleet.stop)
	n.mq = mq.New(n.db, &keyService{node: n, keys: keys}, n.fleet)
	n.sqs = sqs.New(n.db, n.core, n.ring, &queueKeys{node: n, keys: keys}, sqs.Config{
		Logger: n.log, ExplainDenials: n.cfg.ExplainDenials,
	})
	n.onStop(n.sqs.Close)
	own := coffer.New(&storeState{n, n.restored}, n.backups, n.fleet, queues{n.sqs}, keys,
		&keyUsers{keys, n.mq, n.sqs}, n.trail, accounts{n.iam, n.showCredentials}, Account)
	sessions := sts.New(n.db, directory{n.iam})
	n.gateway, err = gateway.New(n.db, n.trail, sessions, []gateway.Service{
		{API: &kmsapi.API, Impl: keys, Access: keys},
		{API: &mqapi.API, Impl: n.mq, Access: n.mq},
		{API: &cloudtrailapi.API, Impl: n.cloudtrail, Access: n.cloudtrail},
		{API: &sqsapi.API, Impl: n.sqs, Access: n.sqs, MaxBody: sqs.MaxBody},
		{API: &stsapi.API, Impl: sessions, Access: sessions},
		{API: &iamapi.API, Impl: n.iam, Access: n.iam},
		{API: &cofferapi.API, Impl: own, Access: own},
	}, gateway.Config{Logger: n.log, Used: n.iam.NoteUse,
		Selected: n.selects, Lint: n.cfg.lintMode, Tracer: n.tracer, Events: gateway.Events{
			Answered: n.counts.request, Recorded: n.counts.recorded,
		}})
	if err != nil {
		return err
	}
	return n.iam.EnsureRoot(ctx, Account, n.showCredentials)
}

// showCredentials writes the root user's access key where clients find it.
func (n *Node) showCredentials(key iam.AccessKey) error {
	text := fmt.Appendf(nil, credentialsFormat, key.ID, key.Secret.Reveal())
	if err := writeFile(filepath.Join(n.cfg.Data, fileCredentials), text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", fileCredentials, err)
	}
	n.log.Info("root credentials were made",
		"file", filepath.Join(n.cfg.Data, fileCredentials), "account", Account)
	return nil
}

// startBrokers starts what is stored and, once in the directory's life, makes
// broker main. A broker whose own port is taken does not keep the others from
// their clients; the standard port is opened before and must be free.
func (n *Node) startBrokers(ctx context.Context) error {
	if err := n.fleet.openDoors(); err != nil {
		return err
	}
	if err := n.mq.StartAll(ctx); err != nil {
		return fmt.Errorf("start brokers: %w", err)
	}
	if err := n.ensureMain(ctx); err != nil {
		return fmt.Errorf("broker %s: %w", mainName, err)
	}
	n.fleet.work.Wait()
	n.fleet.mu.Lock()
	defer n.fleet.mu.Unlock()
	var errs []error
	for _, b := range n.fleet.brokers {
		if !errors.Is(b.err, errOwnPort) {
			errs = append(errs, b.err)
		}
	}
	return errors.Join(errs...)
}

func (n *Node) ensureMain(ctx context.Context) error {
	row := []byte("main")
	var made bool
	err := n.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableNode, row)
		if made = ok; !ok || err != nil {
			return err
		}
		return json.Unmarshal(v, &n.fleet.main)
	})
	if err != nil || made {
		return err
	}
	password := rand.Text()
	file := filepath.Join(n.cfg.Data, fileMainAdmin)
	if err := writeFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", fileMainAdmin, err)
	}
	return n.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		id, err := n.createMain(ctx, password)
		if err != nil {
			return err
		}
		v, err := json.Marshal(id)
		if err != nil {
			return err
		}
		tx.Put(control.TableNode, row, v)
		n.fleet.mu.Lock()
		defer n.fleet.mu.Unlock()
		n.fleet.main = id
		return nil
	})
}

// createMain asks the Amazon MQ API like any client.
func (n *Node) createMain(ctx context.Context, password string) (uuid.UUID, error) {
	client := mqapi.Client{Caller: &gateway.Caller{
		Gateway: n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
	out, err := client.CreateBroker(ctx, &mqapi.CreateBrokerInput{
		BrokerName: mainName, EngineType: "RABBITMQ", DeploymentMode: "SINGLE_INSTANCE",
		HostInstanceType: "mq.m5.large",
		Users:            []mqapi.User{{Username: mainUser, Password: password}},
	})
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(strings.TrimPrefix(out.BrokerId, "b-"))
}

// keyService is KMS as Amazon MQ reaches it.
type keyService struct {
	node *Node
	keys *kms.Service
}

var _ mq.KMS = (*keyService)(nil)

// As is [mq.KMS]'s.
func (k *keyService) As(w mq.Who) kmsapi.Service {
	return kmsapi.Client{Caller: &gateway.Caller{
		Gateway: k.node.gateway, Service: w.Principal, OnBehalf: w.OnBehalf,
		Account: w.Account, Region: w.Region, Grant: w.Grant, SourceARN: w.SourceARN,
		EventSource: w.EventSource, UserAgent: w.UserAgent, Unshown: w.Unshown,
	}}
}

// EnsureOwned is [mq.KMS]'s.
func (k *keyService) EnsureOwned(ctx context.Context, region string) (string, error) {
	return k.keys.EnsureOwned(ctx, "mq", region)
}

// EnsureManaged is [mq.KMS]'s.
func (k *keyService) EnsureManaged(ctx context.Context, account, region string) (string, error) {
	return k.keys.EnsureManaged(ctx, account, region, "mq")
}

// addresses are what certificates carry beside loopback.
func (n *Node) addresses() []netip.Addr {
	a, err := netip.ParseAddr(n.cfg.Listen)
	if err != nil {
		return nil
	}
	return []netip.Addr{a}
}

// storeHealth fails when the process must be restarted.
func (n *Node) storeHealth(context.Context) error {
	for i, s := range n.shards {
		select {
		case <-s.Lost():
			return fmt.Errorf("shard %d is lost", i)
		default:
		}
	}
	return nil
}
