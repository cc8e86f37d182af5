// Package rootkey knows how the root key of a data directory is come by: from a file, a
// credential of systemd, a descriptor, a passphrase, or shares of several people. It
// reads where it is told to, derives, and compares with the header that stands beside
// the data, which says what the key is of and tells a right key from a wrong one.
//
// It guarantees that a key which is not the header's is refused before anybody uses it,
// that no secret appears in an error, and that a damaged header is told from a wrong
// key. It stores nothing and knows neither stores nor processes.
package rootkey
