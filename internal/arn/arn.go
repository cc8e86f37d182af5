// Package arn reads and writes Amazon Resource Names. It checks their form
// (six colon-separated parts, the last of which may contain colons), not
// whether the resource exists.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
package arn

import (
	"fmt"
	"strings"
)

// MaxLength is the longest ARN that Parse accepts, in bytes.
const MaxLength = 2048

// ARN is a parsed name. Region and Account may be empty, as in IAM and S3.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse splits s. It does not interpret wildcards.
func Parse(s string) (ARN, error) {
	if len(s) > MaxLength {
		return ARN{}, fmt.Errorf("arn: %d bytes, at most %d", len(s), MaxLength)
	}
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("arn: %q is not of the form "+
			"arn:partition:service:region:account:resource", s)
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// New makes a name in the partition aws.
func New(service, region, account, resource string) ARN {
	return ARN{"aws", service, region, account, resource}
}

// String gives the colon-separated form.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" +
		a.Resource
}
