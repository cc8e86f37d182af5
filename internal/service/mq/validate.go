package mq

import (
	"regexp"
	"slices"
	"strings"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/fault"
)

// What a RabbitMQ broker may ask for.
//
// Source: the Amazon MQ REST API reference, "Brokers" and "Users", and
// https://docs.aws.amazon.com/amazon-mq/latest/developer-guide/rabbitmq-creating-configuring.html
const (
	defaultVersion = "4.2"
	maxTags        = 50
	minPassword    = 12 // characters
	maxPassword    = 250
	minDistinct    = 4 // different characters of a password
)

var (
	brokerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
	userName   = regexp.MustCompile(`^[A-Za-z0-9._-]{2,100}$`)
	instance   = regexp.MustCompile(`^mq\.[a-z0-9]+\.[a-z0-9]+$`)
)

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
	case in.DeploymentMode != "SINGLE_INSTANCE":
		return fault.New(fault.NotImplemented,
			"The deployment mode %s is not implemented by Coffer.", in.DeploymentMode)
	case !brokerName.MatchString(in.BrokerName):
		return bad("brokerName", "Broker name is invalid. It must be 1-50 characters long and "+
			"contain only letters, numbers, dashes, and underscores.")
	case !instance.MatchString(in.HostInstanceType):
		return bad("hostInstanceType",
			"Host instance type ["+in.HostInstanceType+"] is not a valid instance type.")
	case in.EngineVersion != nil && !slices.Contains(versions(), *in.EngineVersion):
		return bad("engineVersion", "Broker engine version ["+*in.EngineVersion+
			"] is invalid. Valid values: ["+strings.Join(versions(), ", ")+"]")
	case in.StorageType != "" && in.StorageType != "EBS":
		return bad("storageType", "Storage type ["+in.StorageType+
			"] is not supported for engine type [RABBITMQ].")
	case len(in.Tags) > maxTags:
		return bad("tags", "A broker can have at most 50 tags.")
	}
	if err := unsupported(in); err != nil {
		return err
	}
	return users(in.Users)
}

// unsupported names options that would be ignored otherwise.
func unsupported(in *api.CreateBrokerInput) error {
	name := ""
	switch {
	case in.Configuration != nil:
		name = "configuration"
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
		return bad("users", "A RabbitMQ broker is created with exactly one user; add others "+
			"with the RabbitMQ management API.")
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
