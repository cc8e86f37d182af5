package iam

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"
)

// The managed policies of AWS that tools and examples for Coffer's services name,
// with the documents that AWS publishes. Their ARNs have "aws" for an account.
//
// Source: AWS Managed Policy Reference, 2026.

// published is one managed policy of AWS.
type published struct {
	// The id is empty where no publication shows it: then it follows from the name.
	// The name stands with its path, but for the first /.
	id, name, version string
	created, updated  string // dates
	description       string
	document          string
}

var publishedPolicies = []published{
	{
		"ANPAIWMBCKSKIEE64ZLYK", "AdministratorAccess", "v1", "2015-02-06", "2015-02-06",
		"Provides full access to AWS services and resources.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	}, {
		"ANPAJYRXTHIB4FOVS3ZXS", "PowerUserAccess", "v12", "2015-02-06", "2026-02-12",
		"Provides full access to AWS services and resources, but does not allow management of " +
			"Users and groups.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*",` +
			`"organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":[` +
			`"account:GetAccountInformation","account:GetGovCloudAccountInformation",` +
			`"account:GetPrimaryEmail","account:ListRegions","iam:CreateServiceLinkedRole",` +
			`"iam:DeleteServiceLinkedRole","iam:ListRoles",` +
			`"organizations:DescribeEffectivePolicy","organizations:DescribeOrganization"],` +
			`"Resource":"*"}]}`,
	}, {
		"ANPAI7XKCFMBPM3QQRRVQ", "IAMFullAccess", "v2", "2015-02-06", "2019-06-21",
		"Provides full access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*",` +
			`"organizations:DescribeAccount","organizations:DescribeOrganization",` +
			`"organizations:DescribeOrganizationalUnit","organizations:DescribePolicy",` +
			`"organizations:ListChildren","organizations:ListParents",` +
			`"organizations:ListPoliciesForTarget","organizations:ListRoots",` +
			`"organizations:ListPolicies","organizations:ListTargetsForPolicy"],` +
			`"Resource":"*"}]}`,
	}, {
		"ANPAJKSO7NDY4T57MWDSQ", "IAMReadOnlyAccess", "v4", "2015-02-06", "2018-01-25",
		"Provides read only access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
			`"iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails",` +
			`"iam:Get*","iam:List*","iam:SimulateCustomPolicy",` +
			`"iam:SimulatePrincipalPolicy"],"Resource":"*"}]}`,
	}, {
		"ANPAJ4L4MM2A7QIEB56MS", "IAMUserChangePassword", "v2", "2016-11-15", "2016-11-15",
		"Provides the ability for an IAM user to change their own password.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
			`"iam:ChangePassword"],"Resource":["arn:aws:iam::*:user/${aws:username}"]},` +
			`{"Effect":"Allow","Action":["iam:GetAccountPasswordPolicy"],"Resource":"*"}]}`,
	}, {
		"ANPAJNPP7PPPPMJRV2SA4", "AWSKeyManagementServicePowerUser", "v2", "2015-02-06",
		"2017-03-07", "Provides access to AWS Key Management Service (KMS).",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:CreateAlias",` +
			`"kms:CreateKey","kms:DeleteAlias","kms:Describe*","kms:GenerateRandom",` +
			`"kms:Get*","kms:List*","kms:TagResource","kms:UntagResource","iam:ListGroups",` +
			`"iam:ListRoles","iam:ListUsers"],"Resource":"*"}]}`,
	}, {
		"ANPAI65L554VRJ33ECQS6", "AmazonSQSFullAccess", "v1", "2015-02-06", "2015-02-06",
		"Provides full access to Amazon SQS via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Action":["sqs:*"],"Effect":"Allow",` +
			`"Resource":"*"}]}`,
	}, {
		"ANPAIUGSSQY362XGCM6KW", "AmazonSQSReadOnlyAccess", "v3", "2015-02-06", "2023-06-15",
		"Provides read only access to Amazon SQS via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
			`"sqs:GetQueueAttributes","sqs:GetQueueUrl","sqs:ListDeadLetterSourceQueues",` +
			`"sqs:ListQueues","sqs:ListMessageMoveTasks"],"Resource":"*"}]}`,
	}, {
		"", "AmazonMQFullAccess", "v5", "2017-11-28", "2020-11-04",
		"Provides full access to AmazonMQ via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["mq:*",` +
			`"cloudformation:CreateStack","ec2:CreateNetworkInterface",` +
			`"ec2:CreateNetworkInterfacePermission","ec2:DeleteNetworkInterface",` +
			`"ec2:DeleteNetworkInterfacePermission","ec2:DetachNetworkInterface",` +
			`"ec2:DescribeInternetGateways","ec2:DescribeNetworkInterfaces",` +
			`"ec2:DescribeNetworkInterfacePermissions","ec2:DescribeRouteTables",` +
			`"ec2:DescribeSecurityGroups","ec2:DescribeSubnets","ec2:DescribeVpcs",` +
			`"ec2:CreateSecurityGroup","ec2:AuthorizeSecurityGroupIngress"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":["logs:CreateLogGroup"],"Resource":[` +
			`"arn:aws:logs:*:*:log-group:/aws/amazonmq/*"]},` +
			`{"Action":"iam:CreateServiceLinkedRole","Effect":"Allow","Resource":"*",` +
			`"Condition":{"StringLike":{"iam:AWSServiceName":"mq.amazonaws.com"}}}]}`,
	}, {
		"", "AmazonMQReadOnlyAccess", "v2", "2017-11-28", "2017-11-28",
		"Provides read only access to AmazonMQ via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Action":["mq:Describe*","mq:List*",` +
			`"ec2:DescribeNetworkInterfaces","ec2:DescribeSecurityGroups",` +
			`"ec2:DescribeSubnets","ec2:DescribeVpcs"],"Effect":"Allow","Resource":"*"}]}`,
	}, {
		"", "AmazonMQApiFullAccess", "v2", "2018-12-18", "2020-11-04",
		"Provides full access to AmazonMQ via our API/SDK.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["mq:*",` +
			`"ec2:CreateNetworkInterface","ec2:CreateNetworkInterfacePermission",` +
			`"ec2:DeleteNetworkInterface","ec2:DeleteNetworkInterfacePermission",` +
			`"ec2:DetachNetworkInterface","ec2:DescribeInternetGateways",` +
			`"ec2:DescribeNetworkInterfaces","ec2:DescribeNetworkInterfacePermissions",` +
			`"ec2:DescribeRouteTables","ec2:DescribeSecurityGroups","ec2:DescribeSubnets",` +
			`"ec2:DescribeVpcs"],"Resource":"*"},{"Effect":"Allow","Action":[` +
			`"logs:CreateLogGroup"],"Resource":["arn:aws:logs:*:*:log-group:/aws/amazonmq/*"]},` +
			`{"Action":"iam:CreateServiceLinkedRole","Effect":"Allow","Resource":"*",` +
			`"Condition":{"StringLike":{"iam:AWSServiceName":"mq.amazonaws.com"}}}]}`,
	}, {
		"", "AmazonMQApiReadOnlyAccess", "v1", "2018-12-18", "2018-12-18",
		"Provides read only access to AmazonMQ via our API/SDK.",
		`{"Version":"2012-10-17","Statement":[{"Action":["mq:Describe*","mq:List*",` +
			`"ec2:DescribeNetworkInterfaces","ec2:DescribeSecurityGroups",` +
			`"ec2:DescribeSubnets","ec2:DescribeVpcs"],"Effect":"Allow","Resource":"*"}]}`,
	}, {
		"", "aws-service-role/AmazonMQServiceRolePolicy", "v1", "2020-11-04",
		"2020-11-04", "Service Linked Role Policy for AWS Amazon MQ",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
			`"ec2:DescribeVpcEndpoints"],"Resource":"*"},{"Effect":"Allow","Action":[` +
			`"ec2:CreateVpcEndpoint"],"Resource":["arn:aws:ec2:*:*:vpc/*",` +
			`"arn:aws:ec2:*:*:subnet/*","arn:aws:ec2:*:*:security-group/*"]},` +
			`{"Effect":"Allow","Action":["ec2:CreateVpcEndpoint"],"Resource":[` +
			`"arn:aws:ec2:*:*:vpc-endpoint/*"],"Condition":{"StringEquals":{` +
			`"aws:RequestTag/AMQManaged":"true"}}},{"Effect":"Allow","Action":[` +
			`"ec2:CreateTags"],"Resource":"arn:aws:ec2:*:*:vpc-endpoint/*","Condition":{` +
			`"StringEquals":{"ec2:CreateAction":"CreateVpcEndpoint"}}},{"Effect":"Allow",` +
			`"Action":["ec2:DeleteVpcEndpoints"],"Resource":` +
			`"arn:aws:ec2:*:*:vpc-endpoint/*","Condition":{"StringEquals":{` +
			`"ec2:ResourceTag/AMQManaged":"true"}}},{"Effect":"Allow","Action":[` +
			`"logs:PutLogEvents","logs:DescribeLogStreams","logs:DescribeLogGroups",` +
			`"logs:CreateLogStream","logs:CreateLogGroup"],"Resource":[` +
			`"arn:aws:logs:*:*:log-group:/aws/amazonmq/*"]}]}`,
	},
}

// entity is the policy as if it were a row of this store.
func (p *published) entity() *entity {
	created, _ := time.Parse(time.DateOnly, p.created) // constants; a test reads them all
	updated, _ := time.Parse(time.DateOnly, p.updated)
	at := strings.LastIndexByte(p.name, '/') + 1
	id := p.id
	if id == "" {
		digest := sha256.Sum256([]byte(p.name))
		id = kinds[policyKind].prefix + base32.StdEncoding.EncodeToString(digest[:])[:17]
	}
	return &entity{
		Kind: policyKind, Account: ownedByAWS, ID: id, Name: p.name[at:], Path: "/" + p.name[:at],
		Created: created, Policy: &policyPart{
			Description: p.description, Updated: updated, Default: p.version,
			Versions: []version{{p.version, p.document, updated}},
		},
	}
}

// awsManaged finds a managed policy of AWS by its ARN; nil means that there is none.
func awsManaged(name string) *entity {
	at := slices.IndexFunc(publishedPolicies, func(p published) bool {
		return strings.HasSuffix(name, "/"+p.name)
	})
	if at < 0 {
		return nil
	}
	if e := publishedPolicies[at].entity(); e.arn() == name {
		return e
	}
	return nil
}

func awsManagedAll() []*entity {
	list := make([]*entity, 0, len(publishedPolicies))
	for i := range publishedPolicies {
		list = append(list, publishedPolicies[i].entity())
	}
	return list
}
