#!/usr/bin/env bash
# Has the AWS CLI validate an export of the audit trail.
set -euo pipefail
cd "$(dirname "$0")"
COFFER_AWSCLI_PYTHON=$(command -v python3) COFFER_VALIDATE_LOGS=$PWD/validate_logs.py \
	go test -count=1 -run TestAWSCLI -v coffer/internal/audit/export
