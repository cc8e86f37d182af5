package kms

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Rates are requests per second and account in a Region: of an operation, or,
// under the name Cryptographic, of all that use symmetric keys together. What has
// no rate has no bound.
type Rates map[string]float64

// cryptographic is the quota that operations with key material share.
const cryptographic = "Cryptographic"

// awsRates are AWS's quotas.
//
// Source: KMS Developer Guide, "Request quotas"; acceptance KMS-05.
var awsRates = Rates{
	cryptographic: 10000, "CancelKeyDeletion": 5, "CreateAlias": 5, "CreateGrant": 50,
	"CreateKey": 5, "DeleteAlias": 15, "DescribeKey": 2000, "DisableKey": 5,
	"DisableKeyRotation": 5, "EnableKey": 5, "EnableKeyRotation": 15, "GetKeyPolicy": 1000,
	"GetKeyRotationStatus": 1000, "ListAliases": 500, "ListGrants": 100, "ListKeyPolicies": 100,
	"ListKeyRotations": 100, "ListKeys": 500, "ListResourceTags": 2000,
	"ListRetirableGrants": 100, "PutKeyPolicy": 15, "RetireGrant": 30, "RevokeGrant": 30,
	"RotateKeyOnDemand": 5, "ScheduleKeyDeletion": 15, "TagResource": 10, "UntagResource": 5,
	"UpdateAlias": 5, "UpdateKeyDescription": 5,
}

// ParseRates reads what a setting says: nothing for no bounds, "aws" for AWS's
// quotas, or a list such as "aws,CreateGrant=100,Cryptographic=500", of which the
// later counts. An error is of kind fault.Invalid.
func ParseRates(text string) (Rates, error) {
	rates := Rates{}
	if text == "" {
		return rates, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "aws" {
			maps.Copy(rates, awsRates)
			continue
		}
		name, number, ok := strings.Cut(word, "=")
		n, err := strconv.ParseFloat(number, 64)
		_, known := kms.API.Op(name)
		switch {
		case !ok || err != nil || !(n > 0) || math.IsInf(n, 0):
			return nil, fault.New(fault.Invalid, "%q: want aws, or an operation and its requests "+
				"per second, such as CreateGrant=50", word)
		case !known && name != cryptographic:
			return nil, fault.New(fault.Invalid, "%q: KMS has no operation %q", word, name)
		}
		rates[name] = n
	}
	return rates, nil
}

// maxBuckets bounds the buckets in memory; full ones are dropped above it.
const maxBuckets = 10000

// buckets hold what is left of the rates.
type buckets struct {
	rates Rates
	now   func() time.Time

	mu  sync.Mutex
	all map[bucketName]*bucket
}

type bucketName struct{ account, region, rate string }

// bucket has a second's requests at most.
type bucket struct {
	left float64
	at   time.Time
}

// quota is the rate that an operation counts against.
func quota(op string) string {
	if slices.Contains(tracked, op) {
		return cryptographic
	}
	return op
}

// admit takes one request from the caller's bucket. What services do by themselves
// is not bounded: brokers must get their keys.
func (b *buckets) admit(call *gateway.Call, op string) error {
	name := bucketName{call.Account, call.Region, op}
	rate, ok := b.rates[op]
	if !ok {
		name.rate = quota(op)
		rate, ok = b.rates[name.rate]
	}
	if !ok || call.Principal.Kind == policy.Service {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, most := b.now(), max(rate, 1)
	k := b.all[name]
	if k == nil {
		b.trim(now)
		k = &bucket{left: most, at: now}
		b.all[name] = k
	}
	k.left = min(most, k.left+rate*now.Sub(k.at).Seconds())
	k.at = now
	if k.left < 1 {
		return fault.New(fault.Exhausted, "You have exceeded the rate at which you may call KMS. "+
			"Reduce the frequency of your calls.")
	}
	k.left--
	return nil
}

// trim makes room for another bucket: those that are full by now say nothing.
func (b *buckets) trim(now time.Time) {
	if b.all == nil {
		b.all = map[bucketName]*bucket{}
	}
	if len(b.all) < maxBuckets {
		return
	}
	maps.DeleteFunc(b.all, func(n bucketName, k *bucket) bool {
		rate := b.rates[n.rate]
		return k.left+rate*now.Sub(k.at).Seconds() >= max(rate, 1)
	})
}

// String shows the rates as ParseRates reads them.
func (r Rates) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		words = append(words, fmt.Sprintf("%s=%g", name, r[name]))
	}
	return strings.Join(words, ",")
}
