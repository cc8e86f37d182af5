package story

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// TestConfiguration changes a broker as its owner does: a configuration, which the next
// reboot applies, tags, and what waits for the reboot. MQ-06: nothing of it is the key.
func TestConfiguration_MQ06(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b := s.CreateBroker(a, "changed", kit.CreateKey(t, a))
	before := b.Describe(t, a)
	c := kit.Do(t, a.MQ.CreateConfiguration, &mq.CreateConfigurationInput{
		Name: aws.String("limits"), EngineType: types.EngineTypeRabbitmq,
		EngineVersion: before.EngineVersion,
	})
	text := base64.StdEncoding.EncodeToString([]byte("heartbeat = 240\nno.such = thing\n"))
	u := kit.Do(t, a.MQ.UpdateConfiguration, &mq.UpdateConfigurationInput{
		ConfigurationId: c.Id, Data: aws.String(text), Description: aws.String("slower"),
	})
	if len(u.Warnings) != 1 || aws.ToInt32(u.LatestRevision.Revision) != 2 {
		t.Errorf("%+v", u)
	}
	kit.Do(t, a.MQ.UpdateBroker, &mq.UpdateBrokerInput{
		BrokerId: aws.String(b.ID), HostInstanceType: aws.String("mq.m5.xlarge"),
		Configuration: &types.ConfigurationId{Id: c.Id, Revision: aws.Int32(2)},
		Logs:          &types.Logs{General: aws.Bool(true)},
	})
	heartbeat := func() time.Duration {
		t.Helper()
		conn, err := amqp.DialConfig(b.Address(t, a),
			amqp.Config{TLSClientConfig: s.TLS(), Heartbeat: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.Config.Heartbeat
	}
	waits := b.Describe(t, a)
	if aws.ToString(waits.PendingHostInstanceType) != "mq.m5.xlarge" ||
		waits.Configurations.Pending == nil || waits.Configurations.Current != nil ||
		waits.Logs.Pending == nil || aws.ToString(waits.Logs.GeneralLogGroup) !=
		"/aws/amazonmq/broker/"+b.ID+"/general" {
		t.Errorf("%+v", waits)
	}
	if h := heartbeat(); h != time.Minute {
		t.Errorf("heartbeat %v before the reboot", h)
	}
	kit.Do(t, a.MQ.RebootBroker, &mq.RebootBrokerInput{BrokerId: aws.String(b.ID)})
	after := b.Await(t, a, types.BrokerStateRunning)
	if aws.ToString(after.HostInstanceType) != "mq.m5.xlarge" ||
		after.PendingHostInstanceType != nil || aws.ToString(after.Configurations.Current.Id) !=
		aws.ToString(c.Id) || !aws.ToBool(after.Logs.General) {
		t.Errorf("%+v", after)
	}
	if h := heartbeat(); h != 4*time.Minute {
		t.Errorf("heartbeat %v after the reboot", h)
	}
	if *after.EncryptionOptions.KmsKeyId != *before.EncryptionOptions.KmsKeyId {
		t.Error("the key is another one")
	}
	retag(t, a, after.BrokerArn)
	s.Kill()
	s.Restart()
	a = s.AWS()
	b.Await(t, a, types.BrokerStateRunning)
	if h := heartbeat(); h != 4*time.Minute {
		t.Errorf("heartbeat %v after a crash", h)
	}
}

// retag adds tags and removes one of them.
func retag(t *testing.T, a *kit.AWS, name *string) {
	t.Helper()
	kit.Do(t, a.MQ.CreateTags, &mq.CreateTagsInput{ResourceArn: name,
		Tags: map[string]string{"team": "blue", "gone": "soon"}})
	kit.Do(t, a.MQ.DeleteTags, &mq.DeleteTagsInput{ResourceArn: name,
		TagKeys: []string{"gone"}})
	tags := kit.Do(t, a.MQ.ListTags, &mq.ListTagsInput{ResourceArn: name}).Tags
	if len(tags) != 1 || tags["team"] != "blue" {
		t.Errorf("tags %v", tags)
	}
}
