package iam

import "time"

// login is the password with which a user signs in to the console.
type login struct {
	Hash    string    `json:"hash"`
	Reset   bool      `json:"reset,omitempty"`
	Created time.Time `json:"created"`
}
