package rootkey

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/argon2"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Bounds of a passphrase that is set, in bytes.
const minWords = 12

// Bounds of stored parameters: who can write the header must not be able to take the
// machine's memory.
const (
	maxPasses  = 64
	maxMemory  = 2 << 20 // KiB
	maxThreads = 64
	saltSize   = 16
)

// KDF are parameters of argon2id.
//
// Source: RFC 9106, sections 3.1 and 4.
type KDF struct {
	Passes, Memory uint32 // Memory in KiB
	Threads        uint8
	Salt           [saltSize]byte
}

// NewKDF gives the parameters that RFC 9106 recommends where memory is short, 64 MiB and
// three passes, with a new salt.
func NewKDF() *KDF {
	k := &KDF{Passes: 3, Memory: 64 << 10, Threads: 4}
	rand.Read(k.Salt[:]) // never fails
	return k
}

// derive gives the root key of a passphrase.
func (k *KDF) derive(words seal.Secret) seal.Secret {
	return argon2.IDKey(words, k.Salt[:], k.Passes, k.Memory, k.Threads, seal.KeySize)
}

func (k *KDF) append(b []byte) []byte {
	return fmt.Appendf(b, "argon2id %d %d %d %x\n", k.Passes, k.Memory, k.Threads, k.Salt)
}

// parseKDF reads what append wrote, and nothing else.
func parseKDF(line string) (*KDF, bool) {
	k := &KDF{}
	var salt string
	n, err := fmt.Sscanf(line, "argon2id %d %d %d %s", &k.Passes, &k.Memory, &k.Threads, &salt)
	if err != nil || n != 4 || len(salt) != 2*saltSize {
		return nil, false
	}
	if _, err := hex.Decode(k.Salt[:], []byte(salt)); err != nil {
		return nil, false
	}
	fits := k.Passes >= 1 && k.Passes <= maxPasses && k.Threads >= 1 && k.Threads <= maxThreads &&
		k.Memory >= 8*uint32(k.Threads) && k.Memory <= maxMemory
	return k, fits && string(k.append(nil)) == line+"\n"
}

// checkWords refuses a new passphrase that can be guessed.
func checkWords(words seal.Secret) error {
	if len(words) < minWords {
		return fault.New(fault.Invalid, "a passphrase of %d bytes is too short for a root key: "+
			"at least %d, better six words drawn by dice", len(words), minWords)
	}
	return nil
}
