package mq

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/fault"
)

// What a RabbitMQ broker may ask for.
//
// Source: the Amazon MQ REST API reference, "Brokers" and "Users", and
// https://docs.aws.amazon.com/amazon-mq/latest/developer-guide/rabbitmq-creating-configuring.html
const (
	single         = "SINGLE_INSTANCE"
	cluster        = "CLUSTER_MULTI_AZ"
	defaultVersion = "4.2"
	maxTags        = 50
	minPassword    = 12 // characters
	maxPassword    = 250
	minDistinct    = 4 // different characters of a password
	maxRequestID   = 256
	maxGroups      = 5 // security groups
	maxSubnets     = 16
	maxTagKey      = 128 // characters
	maxTagValue    = 256
)

var (
	brokerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
	userName   = regexp.MustCompile(`^[A-Za-z0-9._-]{2,100}$`)
	timeZone   = regexp.MustCompile(`^[A-Za-z0-9_+:/-]{1,64}$`)
	instance   = regexp.MustCompile(`^mq\.[a-z0-9]+\.[a-z0-9]+$`)
)

// nodes tells how many a deployment has.
func nodes(deployment string) int {
	if deployment == cluster {
		return 3
	}
	return 1
}

// versions are those that brokers can name, oldest first. They all run the same engine.
func versions() []string { return []string{"3.13", "4.0", "4.1", "4.2"} }

func bad(attribute, text string) error {
	return &api.BadRequestException{ErrorAttribute: attribute, Message: text}
}

// validate checks what the model cannot say.
func validate(in *api.CreateBrokerInput) error {
	switch {
	case in.EngineType != "RABBITMQ":
		return fault.New(fault.NotImplemented,
			"The engine type %s is not implemented by Coffer.", in.EngineType)
	case in.DeploymentMode == "ACTIVE_STANDBY_MULTI_AZ":
		return bad("deploymentMode", "Deployment mode ["+in.DeploymentMode+
			"] is not supported for engine type [RABBITMQ].")
	case !brokerName.MatchString(in.BrokerName):
		return bad("brokerName", "Broker name is invalid. It must be 1-50 characters long and "+
			"contain only letters, numbers, dashes, and underscores.")
	case in.StorageType != "" && in.StorageType != "EBS":
		return bad("storageType", "Storage type ["+in.StorageType+
			"] is not supported for engine type [RABBITMQ].")
	case in.CreatorRequestId != nil && len(*in.CreatorRequestId) > maxRequestID:
		return bad("creatorRequestId", "The creatorRequestId is longer than 256 bytes.")
	case len(in.SubnetIds) > maxSubnets:
		return bad("subnetIds", "A broker can have at most 16 subnets.")
	}
	if in.EngineVersion != nil {
		if err := checkVersion(*in.EngineVersion); err != nil {
			return err
		}
	}
	return cmp.Or(checkInstance(in.HostInstanceType, in.DeploymentMode), unsupported(in),
		checkLogs(in.Logs), checkGroups(in.SecurityGroups), checkTags(in.Tags),
		window(in.MaintenanceWindowStartTime), users(in.Users))
}

func checkInstance(name, deployment string) error {
	switch {
	case !instance.MatchString(name):
		return bad("hostInstanceType",
			"Host instance type ["+name+"] is not a valid instance type.")
	case name == smallest && deployment == cluster:
		return bad("hostInstanceType", "Host instance type ["+name+
			"] is not supported for deployment mode [CLUSTER_MULTI_AZ].")
	}
	return nil
}

func checkVersion(v string) error {
	if slices.Contains(versions(), v) {
		return nil
	}
	valid := versions()
	slices.Reverse(valid)
	return bad("engineVersion", "Broker engine version ["+v+"] is invalid for broker engine type "+
		"[RABBITMQ]. Valid values: ["+strings.Join(valid, ", ")+"].")
}

func checkLogs(l *api.Logs) error {
	if l != nil && l.Audit != nil && *l.Audit {
		return bad("logs", "Audit logging is not supported for engine type [RABBITMQ].")
	}
	return nil
}

func checkGroups(list []string) error {
	if len(list) > maxGroups {
		return bad("securityGroups", "A broker can have at most 5 security groups.")
	}
	return nil
}

func checkTags(list map[string]string) error {
	if len(list) > maxTags {
		return bad("tags", "A resource can have at most 50 tags.")
	}
	for k, v := range list {
		n := utf8.RuneCountInString(k)
		if n == 0 || n > maxTagKey || utf8.RuneCountInString(v) > maxTagValue ||
			strings.HasPrefix(strings.ToLower(k), "aws:") {
			return bad("tags", "A tag key must be 1-128 characters long and must not begin with "+
				"aws:; a tag value must not be longer than 256 characters.")
		}
	}
	return nil
}

func window(w *api.WeeklyStartTime) error {
	if w == nil {
		return nil
	}
	if _, err := time.Parse("15:04", w.TimeOfDay); err != nil || len(w.TimeOfDay) != 5 {
		return bad("maintenanceWindowStartTime", "The time of day must have the form HH:MM.")
	}
	if w.TimeZone != "" && !timeZone.MatchString(w.TimeZone) {
		return bad("maintenanceWindowStartTime", "The time zone is not valid.")
	}
	return nil
}

// unsupported names options that would be ignored otherwise.
func unsupported(in *api.CreateBrokerInput) error {
	name := ""
	switch {
	case in.StorageSize != nil:
		name = "storageSize"
	case in.DataReplicationPrimaryBrokerArn != nil:
		name = "dataReplicationPrimaryBrokerArn"
	case in.LdapServerMetadata != nil:
		name = "ldapServerMetadata"
	case in.AuthenticationStrategy != "" && in.AuthenticationStrategy != "SIMPLE":
		name = "authenticationStrategy " + in.AuthenticationStrategy
	case in.DataReplicationMode != "" && in.DataReplicationMode != "NONE":
		name = "dataReplicationMode " + in.DataReplicationMode
	default:
		return nil
	}
	return fault.New(fault.NotImplemented, "The option %s is not implemented by Coffer.", name)
}

func users(list []api.User) error {
	if len(list) != 1 {
		return bad("users", "Specify exactly one user for engine type [RABBITMQ].")
	}
	u := list[0]
	if !userName.MatchString(u.Username) || u.Username == "guest" {
		return bad("username", "The user name must be 2-100 characters long and contain only "+
			"alphanumeric characters, dashes, periods, and underscores. It must not be guest.")
	}
	distinct := map[rune]bool{}
	for _, r := range u.Password {
		distinct[r] = true
	}
	n := len([]rune(u.Password))
	if n < minPassword || n > maxPassword || len(distinct) < minDistinct ||
		strings.ContainsAny(u.Password, ",:=") {
		return bad("password", "The password must be 12-250 characters long, contain at least 4 "+
			"unique characters, and must not contain commas, colons, or equal signs.")
	}
	return nil
}
