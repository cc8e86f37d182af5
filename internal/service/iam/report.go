package iam

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// reportFor is how long a credential report can be had after it was asked for.
const reportFor = 4 * time.Hour

// reportHead are the columns of a credential report.
//
// Source: IAM User Guide, "Generate credential reports for your AWS account".
var reportHead = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used",
	"password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date",
	"access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
	"access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

// GenerateCredentialReport lets the report be had for some hours. It is made when it
// is read, so that it is never older than its time says.
func (s *Service) GenerateCredentialReport(
	ctx context.Context, _ *api.GenerateCredentialReportInput,
) (*api.GenerateCredentialReportOutput, error) {
	out := &api.GenerateCredentialReportOutput{State: "COMPLETE"}
	return out, s.update(ctx, func(r *request) error {
		row, err := r.accountRow()
		if err != nil {
			return err
		}
		row.Report = r.tx.Time()
		return r.saveAccount(&row)
	})
}

// GetCredentialReport gives the report, CSV.
func (s *Service) GetCredentialReport(
	ctx context.Context, _ *api.GetCredentialReportInput,
) (*api.GetCredentialReportOutput, error) {
	out := &api.GetCredentialReportOutput{ReportFormat: "text/csv"}
	return out, s.view(ctx, func(r *request) error {
		row, err := r.accountRow()
		switch {
		case err != nil:
			return err
		case row.Report.IsZero():
			text := "No report exists. Generate one with GenerateCredentialReport."
			return wire.Refuse(fault.NotFound, text,
				&api.CredentialReportNotPresentException{Message: text})
		case r.tx.Time().Sub(row.Report) > reportFor:
			text := "The report has expired. Generate one with GenerateCredentialReport."
			return wire.Refuse(fault.NotFound, text,
				&api.CredentialReportExpiredException{Message: text})
		}
		out.GeneratedTime = r.tx.Time()
		out.Content, err = r.report(&row)
		return err
	})
}

func (r *request) report(account *accountRow) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(reportHead); err != nil {
		return nil, err
	}
	mfa, err := r.holders()
	if err != nil {
		return nil, err
	}
	line, err := r.reportKeys([]string{
		"<root_account>", "arn:aws:iam::" + r.account() + ":root", stamp(account.Created),
		"not_supported", "not_supported", "not_supported", "not_supported",
		strconv.FormatBool(mfa[devicesOfRoot]),
	}, nil)
	if err != nil {
		return nil, err
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	list, err := all(r.tx, r.account(), userKind, "")
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		line, err := r.reportKeys([]string{
			e.Name, e.arn(), stamp(e.Created), "false", "N/A", "N/A", "N/A",
			strconv.FormatBool(mfa[e.ID]),
		}, e)
		if err != nil {
			return nil, err
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// holders are those who have an MFA device.
func (r *request) holders() (map[string]bool, error) {
	list, err := devices(r.tx, r.account(), func(d *device) bool { return d.Holder != "" })
	have := map[string]bool{}
	for _, d := range list {
		have[d.Holder] = true
	}
	return have, err
}

// reportKeys adds what is to be told of access keys, and that there is no
// certificate.
func (r *request) reportKeys(line []string, user *entity) ([]string, error) {
	keys, err := r.keys(user)
	if err != nil {
		return nil, err
	}
	for i := range maxKeys {
		if i >= len(keys) {
			line = append(line, "false", "N/A", "N/A", "N/A", "N/A")
			continue
		}
		k := keys[i]
		line = append(line, strconv.FormatBool(k.Status == active), stamp(k.Created))
		last, err := r.lastUse(k.ID)
		switch {
		case err != nil:
			return nil, err
		case last.At.IsZero():
			line = append(line, "N/A", "N/A", "N/A")
		default:
			line = append(line, stamp(last.At), last.Region, last.Service)
		}
	}
	return append(line, "false", "N/A", "false", "N/A"), nil
}

// stamp is how the report writes times.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }
