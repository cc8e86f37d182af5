package audit

import "strings"

// TypeQueue is the type of the resource that data events of brokers are about.
const TypeQueue = "AWS::AmazonMQ::Queue"

// TypeSQS is the type of the resource that data events of SQS are about.
const TypeSQS = "AWS::SQS::Queue"

// names lists what LookupEvents finds a resource by: its ARN and the shorter
// names that people know it by. AWS's attribute takes the name that its own list
// of resources shows, which is an ARN for keys and a bare name for users; here
// either is good for any.
//
//	arn:aws:kms:r:1:key/ID            ID
//	arn:aws:kms:r:1:alias/a/b         alias/a/b
//	arn:aws:mq:r:1:broker:name:b-ID   name, b-ID
//	arn:aws:iam::1:role/path/name     name
//	arn:aws:mq:r:1:broker:name:b-ID/vhost/queue     b-ID/vhost/queue
//
// Source: CloudTrail User Guide, "Viewing recent management events with the AWS
// CLI", attribute ResourceName
func (r *Resource) names() []string {
	list := []string{r.ARN}
	parts := strings.SplitN(r.ARN, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return list
	}
	local := parts[5]
	if r.Type == TypeQueue { // beside its broker, which has the other names
		return append(list, local[strings.LastIndexByte(local, ':')+1:])
	}
	kind, rest, ok := strings.Cut(local, "/")
	switch {
	case ok && kind == "alias" && parts[2] == "kms":
		return append(list, local)
	case ok && !strings.Contains(kind, ":"):
		return append(list, rest[strings.LastIndexByte(rest, '/')+1:])
	}
	if _, rest, ok = strings.Cut(local, ":"); ok {
		return append(list, strings.Split(rest, ":")...)
	}
	return append(list, local)
}

// Name is the resource as LookupEvents shows it: the bare name of what IAM
// manages, as AWS does, else the ARN.
func (r *Resource) Name() string {
	if strings.HasPrefix(r.Type, "AWS::IAM::") {
		return r.ARN[strings.LastIndexByte(r.ARN, '/')+1:]
	}
	return r.ARN
}
