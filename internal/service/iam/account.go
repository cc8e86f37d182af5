package iam

import (
	"context"
	"encoding/json"
	"fmt"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
	"coffer/internal/store"
)

// accountRow reads the row of the caller's account. Accounts that calls from
// inside the process act in may have none.
func (r *request) accountRow() (row accountRow, err error) {
	v, ok, err := r.tx.Get(control.TableAccount, scope(r.tx, r.account()))
	if err != nil || !ok {
		return accountRow{Account: r.account(), Created: r.tx.Time()}, err
	}
	if err := json.Unmarshal(v, &row); err != nil {
		return row, fmt.Errorf("%w: account %s", store.ErrDamaged, r.account())
	}
	return row, nil
}

func (r *request) saveAccount(row *accountRow) error {
	return put(r.tx, control.TableAccount, scope(r.tx, row.Account), row)
}

// summaryQuotas are the quotas that a summary tells. Those of an account's own
// entities are in kinds.
var summaryQuotas = map[string]int32{
	"AccessKeysPerUserQuota": maxKeys, "AssumeRolePolicySizeQuota": maxTrust,
	"AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached,
	"AttachedPoliciesPerUserQuota": maxAttached, "GroupPolicySizeQuota": 5120,
	"GroupsPerUserQuota": groupsPerUser, "PolicySizeQuota": maxManaged,
	"PolicyVersionsInUseQuota": 10000, "RolePolicySizeQuota": 10240,
	"ServerCertificatesQuota": 20, "SigningCertificatesPerUserQuota": 2,
	"UserPolicySizeQuota": 2048, "VersionsPerPolicyQuota": maxVersions,
	// What Coffer does not have.
	"AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0,
	"GlobalEndpointTokenVersion": 2, "Providers": 0,
	"ServerCertificates": 0,
}

// GetAccountSummary counts what the account has, beside what it may have.
func (s *Service) GetAccountSummary(ctx context.Context, _ *api.GetAccountSummaryInput) (
	*api.GetAccountSummaryOutput, error,
) {
	out := &api.GetAccountSummaryOutput{SummaryMap: map[string]int32{}}
	return out, s.view(ctx, func(r *request) error {
		for name, n := range summaryQuotas {
			out.SummaryMap[name] = n
		}
		for k, facts := range kinds {
			n, err := count(r.tx, control.TableIAM, entityPrefix(r.tx, r.account(), k))
			if err != nil {
				return err
			}
			out.SummaryMap[plural[k]] = int32(n)
			out.SummaryMap[plural[k]+"Quota"] = int32(facts.quota)
		}
		inUse, err := r.attachments()
		if err != nil {
			return err
		}
		out.SummaryMap["PolicyVersionsInUse"] = int32(inUse)
		keys, err := r.rootKeys()
		if err != nil {
			return err
		}
		out.SummaryMap["AccountAccessKeysPresent"] = int32(min(len(keys), 1))
		return r.countDevices(out.SummaryMap)
	})
}

// attachments counts the policies that are attached to anything.
func (r *request) attachments() (int, error) {
	prefix := append(scope(r.tx, r.account()), byte(asPermissions))
	seen := map[string]bool{}
	err := r.tx.Scan(control.TableIAMLink, prefix, func(id, _ []byte) error {
		seen[string(id[len(prefix):len(prefix)+16])] = true
		return nil
	})
	return len(seen), err
}
