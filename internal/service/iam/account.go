package iam

import (
	"encoding/json"
	"fmt"

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
